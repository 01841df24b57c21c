package sandbox

import (
	"fmt"

	"github.com/goccy/go-yaml"
)

// The engine's configuration, as much of it as a sandbox has to say. Package
// config reads it back.
type (
	configFile struct {
		Engine configEngine  `yaml:"engine"`
		Groups []configGroup `yaml:"groups"`
	}
	configEngine struct {
		Name            string `yaml:"name"`
		RequireSemiSync bool   `yaml:"require_semisync"`
		TagWidth        int    `yaml:"tag_width,omitempty"`
	}
	configGroup struct {
		Group    int          `yaml:"group"`
		Primary  configNode   `yaml:"primary"`
		Replicas []configNode `yaml:"replicas"`
	}
	configNode struct {
		DSN        string `yaml:"dsn"`
		MonitorDSN string `yaml:"monitor_dsn"`
		AdminDSN   string `yaml:"admin_dsn"`
	}
)

func renderConfig(m *marker) ([]byte, error) {
	file := configFile{Engine: configEngine{Name: "sandbox", RequireSemiSync: true}}
	if len(m.Groups) > 9 {
		file.Engine.TagWidth = 2 // a group's number is its tag
	}
	for _, g := range m.Groups {
		group := configGroup{Group: g.Group, Primary: m.Passwords.configNode(g.Ports[g.Primary])}
		for i, port := range g.Ports {
			if i == g.Primary {
				continue
			}
			group.Replicas = append(group.Replicas, m.Passwords.configNode(port))
		}
		file.Groups = append(file.Groups, group)
	}
	text, err := yaml.Marshal(file)
	if err != nil {
		return nil, fmt.Errorf("render the config: %w", err)
	}
	return append([]byte("# Written by `paytool sandbox up`, which rewrites it only when groups are added.\n"), text...), nil
}

func (p passwords) configNode(port int) configNode {
	return configNode{
		DSN:        fmt.Sprintf("paytool_app:%s@tcp(127.0.0.1:%d)/pay", p.App, port),
		MonitorDSN: fmt.Sprintf("paytool_monitor:%s@tcp(127.0.0.1:%d)/", p.Monitor, port),
		AdminDSN:   fmt.Sprintf("paytool_admin:%s@tcp(127.0.0.1:%d)/", p.Admin, port),
	}
}
