package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// maxTagWidth keeps 21 digits and the tag below the 32 characters that the
	// channels allow an order number.
	maxTagWidth = 9
	// maxCreateTimeout is what a till can wait for one group at the very most.
	maxCreateTimeout = 10 * time.Second
)

// instanceName is what fits a lease and a metric's label, host names included.
var instanceName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// zoneName keeps out the blanks and signs by which one zone would look like two.
var zoneName = regexp.MustCompile(`^[\p{L}\p{N}._-]{1,64}$`)

// Validate returns everything that is wrong, as joined KeyErrors in the order
// of the file's keys. Parse has called it; a caller that lets a flag change a
// setting calls it again.
func (c *Config) Validate() error { return c.validate(false) }

// validate lets a file without groups pass where they are not needed.
func (c *Config) validate(withoutGroups bool) error {
	v := &validation{config: c}
	v.engine()
	v.log()
	if len(c.Groups) > 0 || !withoutGroups {
		v.groups()
	}
	v.accounts()
	v.recon()
	return errors.Join(v.errs...)
}

type validation struct {
	config *Config
	errs   []error
}

func (v *validation) refuse(key, format string, args ...any) {
	file := v.config.file
	if file == "" {
		file = "config"
	}
	v.errs = append(v.errs, &KeyError{
		File: file, Line: v.config.lines.Of(key), Key: key, Reason: fmt.Sprintf(format, args...),
	})
}

func (v *validation) oneOf(key, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		named := slices.DeleteFunc(slices.Clone(allowed), func(s string) bool { return s == "" })
		v.refuse(key, "want %s", strings.Join(named, " or "))
	}
}

func (v *validation) positive(key string, d time.Duration) {
	if d <= 0 {
		v.refuse(key, "want more than 0, not %s", d)
	}
}

func (v *validation) engine() {
	e := v.config.Engine
	if !instanceName.MatchString(e.Name) {
		v.refuse("engine.name", "want 1 to 64 letters, digits, dots, dashes or underscores; where the host name is none, set one here")
	}
	v.oneOf("engine.selection", e.Selection, SelectionRendezvous, SelectionRandom)
	v.oneOf("engine.probe", e.Probe, ProbeBackground, ProbeInline)
	if e.TagWidth < 1 || e.TagWidth > maxTagWidth {
		v.refuse("engine.tag_width", "want 1 to %d digits, not %d: an order number has at most 32 characters", maxTagWidth, e.TagWidth)
	}
	if e.LegacyGroup != 0 && !slices.ContainsFunc(v.config.Groups, func(g Group) bool { return g.Group == e.LegacyGroup }) {
		v.refuse("engine.legacy_group", "group %d is not in groups: name one that is, or 0 for none", e.LegacyGroup)
	}
	if e.Pool < 1 {
		v.refuse("engine.pool", "want at least 1 connection, not %d", e.Pool)
	}
	v.positive("engine.create_timeout", e.CreateTimeout)
	if e.CreateTimeout > maxCreateTimeout {
		v.refuse("engine.create_timeout", "want at most %s, not %s: one group that hangs would hold up its creates that long", maxCreateTimeout, e.CreateTimeout)
	}
	v.positive("engine.lookup_timeout", e.LookupTimeout)
	v.positive("engine.probe_interval", e.ProbeInterval)
	v.positive("engine.probe_timeout", e.ProbeTimeout)
	v.positive("engine.created_expiry", e.CreatedExpiry)
	if e.MaxAmountFen < 1 {
		v.refuse("engine.max_amount_fen", "want at least 1 fen, not %d", e.MaxAmountFen)
	}
	v.oneOf("engine.guard", e.Guard, "", GuardAsk, GuardPay, GuardRefuse)
	v.positive("engine.pay_timeout", e.PayTimeout)
	if e.RefundGap < 0 {
		v.refuse("engine.refund_gap", "want 0 or more, not %s", e.RefundGap)
	}
}

func (v *validation) log() {
	v.oneOf("log.level", v.config.Log.Level, "debug", "info", "warn", "error")
	v.oneOf("log.format", v.config.Log.Format, "text", "json")
}

func (v *validation) groups() {
	groups := v.config.Groups
	if len(groups) == 0 {
		v.refuse("groups", "no groups: list at least one, or run `paytool sandbox up`, which writes a configuration")
		return
	}
	if !slices.ContainsFunc(groups, func(g Group) bool { return g.Weight != 0 }) {
		v.refuse("groups", "every weight is 0: no group would take an order")
	}
	numbers := map[int]string{}      // group number -> key of its first group
	addresses := map[string]string{} // server address -> key of its first node
	for i, g := range groups {
		key := fmt.Sprintf("groups[%d]", i)
		v.group(key, g, numbers)
		v.node(key+".primary", g.Primary, addresses)
		for j, r := range g.Replicas {
			v.node(fmt.Sprintf("%s.replicas[%d]", key, j), r, addresses)
		}
	}
}

func (v *validation) group(key string, g Group, numbers map[int]string) {
	number := key + ".group"
	first, taken := numbers[g.Group]
	width := v.config.Engine.TagWidth
	switch {
	case g.Group < 1:
		v.refuse(number, "want a number from 1, not %d", g.Group)
	case taken:
		v.refuse(number, "group %d is also %s (line %d)", g.Group, first, v.config.lines.Of(first))
	case len(strconv.Itoa(g.Group)) > width:
		v.refuse(number, "group %d needs more digits than engine.tag_width %d: widen it", g.Group, width)
	}
	if !taken {
		numbers[g.Group] = number
	}
	if g.Weight < 0 {
		v.refuse(key+".weight", "want 0 or more, not %d", g.Weight)
	}
	if g.Zone != "" && !zoneName.MatchString(g.Zone) {
		v.refuse(key+".zone", "want 1 to 64 letters, digits, dots, dashes or underscores")
	}
	if require := v.config.Engine.RequireSemisync; require != nil && *require && len(g.Replicas) == 0 {
		v.refuse(key+".replicas", "none, but engine.require_semisync is true: the group could never take an order")
	}
}

func (v *validation) node(key string, n Node, addresses map[string]string) {
	v.applicationDSN(key+".dsn", n.DSN, addresses)
	v.optionalDSN(key+".monitor_dsn", n.MonitorDSN)
	v.optionalDSN(key+".admin_dsn", n.AdminDSN)
}

func (v *validation) applicationDSN(key string, d DSN, addresses map[string]string) {
	if d == "" {
		v.refuse(key, "missing: the application account's data source name, user:password@tcp(host:port)/database")
		return
	}
	dsn, err := d.parse()
	if err != nil {
		v.refuse(key, "%s", err)
		return
	}
	if dsn.DBName == "" {
		v.refuse(key, "names no database: end it with /database")
	}
	address := dsn.Net + "(" + dsn.Addr + ")"
	if first, taken := addresses[address]; taken {
		v.refuse(key, "the same server as %s (line %d)", first, v.config.lines.Of(first))
		return
	}
	addresses[address] = key
}

func (v *validation) optionalDSN(key string, d DSN) {
	if d == "" {
		return
	}
	if _, err := d.parse(); err != nil {
		v.refuse(key, "%s", err)
	}
}
