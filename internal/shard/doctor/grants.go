package doctor

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Grant is one line of SHOW GRANTS without what may be secret in it.
type Grant struct {
	Privileges []string // in upper case, as the server spells them
	Scope      string   // "*.*" or a schema and its tables, quoted as the server does
	Account    string   // the account or role that holds it
	Admin      bool     // WITH GRANT OPTION
}

// grantLine takes what stands before the first IDENTIFIED, in which MariaDB prints
// the hash of the password.
var (
	grantLine = regexp.MustCompile("^GRANT (.+) ON (?:TABLE )?(\\S+\\.\\S+) TO ((?:`[^`]*`|'[^']*'|\\S+?)(?:@(?:`[^`]*`|'[^']*'|\\S+))?)(?: |$)")
	roleLine  = regexp.MustCompile("^GRANT ((?:`[^`]+`@`[^`]+`,?)+) TO ")
	columns   = regexp.MustCompile(`\s*\([^)]*\)`)
)

// ParseGrant reads a line of SHOW GRANTS. Lines that grant no privileges, such as
// roles, are not ok.
func ParseGrant(line string) (g Grant, ok bool) {
	m := grantLine.FindStringSubmatch(line)
	if m == nil {
		return Grant{}, false
	}
	g = Grant{Scope: m[2], Account: m[3], Admin: strings.HasSuffix(line, "WITH GRANT OPTION")}
	for _, p := range strings.Split(columns.ReplaceAllString(m[1], ""), ",") {
		if p = strings.ToUpper(strings.TrimSpace(p)); p != "USAGE" {
			g.Privileges = append(g.Privileges, p)
		}
	}
	return g, true
}

// ParseRoles reads the roles that a line of MySQL's SHOW GRANTS hands to an
// account, quoted as there; "" where it is another line.
func ParseRoles(line string) string {
	if m := roleLine.FindStringSubmatch(line); m != nil {
		return m[1]
	}
	return ""
}

// escaping are privileges that get past read_only, the binlog, or the limits of
// the account. Blanks stand for underscores too: the servers differ in them.
var escaping = []string{
	"ALL PRIVILEGES", "SUPER", "READ ONLY ADMIN", "CONNECTION ADMIN", "BINLOG ADMIN", "BINLOG REPLAY", "SET USER", "SET ANY DEFINER",
	"SYSTEM VARIABLES ADMIN", "SESSION VARIABLES ADMIN", "REPLICATION SLAVE ADMIN", "REPLICATION APPLIER", "GROUP REPLICATION ADMIN",
	"CREATE USER", "ROLE ADMIN", "FILE", "SHUTDOWN",
}

func escapes(privilege string) bool {
	return slices.Contains(escaping, strings.ReplaceAll(privilege, "_", " "))
}

// checkGrants advises statements that stay on the node that they are run on: where
// only some nodes hold a grant, a REVOKE that replicates stops the others.
func checkGrants(g Group, n Node) []Finding {
	findings := judgeGrants(g, n)
	for i := range findings {
		findings[i].Do += "; run this on each node that is named"
		findings[i].SQL = append([]string{"SET SESSION sql_log_bin=0"}, findings[i].SQL...)
	}
	return findings
}

func judgeGrants(g Group, n Node) (findings []Finding) {
	for _, grant := range n.Grants {
		switch {
		case grant.Scope == "*.*" && (len(grant.Privileges) > 0 || grant.Admin):
			findings = append(findings, grant.everywhere(g))
		case grant.Admin:
			findings = append(findings, Finding{
				ID: "grant_option", Severity: Warning, Found: fmt.Sprintf("the application's account may hand on its rights on %s", grant.Scope),
				Do: "take the right away", SQL: []string{fmt.Sprintf("REVOKE GRANT OPTION ON %s FROM %s", grant.Scope, grant.Account)},
				Why: "who breaks into the engine makes accounts that stay after its password is changed",
			})
		case grant.systemSchema():
			findings = append(findings, Finding{
				ID: "grant_system_schema", Severity: Error, Found: fmt.Sprintf("the application's account holds %s on %s", strings.Join(grant.Privileges, ", "), grant.Scope),
				Do: "take it away; the account needs rights on its own database alone", SQL: []string{grant.revoke(grant.Privileges)},
				Why: "who writes the server's own tables gives himself every other right",
			})
		}
	}
	return findings
}

// systemSchema reports whether the grant reaches the schema that holds accounts.
func (g Grant) systemSchema() bool {
	schema := strings.Trim(strings.SplitN(g.Scope, ".", 2)[0], "`'\"")
	return len(g.Privileges) > 0 && (schema == "mysql" || schema == "%")
}

// everywhere judges a grant on *.*: one that gets past read_only is an error, any
// other is more than the engine needs.
func (g Grant) everywhere(of Group) Finding {
	worst := slices.DeleteFunc(slices.Clone(g.Privileges), func(p string) bool { return !escapes(p) })
	f := Finding{
		ID: "grant_global", Severity: Warning, Found: fmt.Sprintf("the application's account holds %s on *.*", strings.Join(g.named(g.Privileges), ", ")),
		SQL: g.revokeAll(of, g.Privileges),
		Do:  "take it away and restart the engines: open connections keep what they had",
		Why: "the engine needs rights on its own database alone; each one more is one that a break-in or a slip can use",
	}
	if len(worst) > 0 {
		f.ID, f.Severity = "grant_dangerous", Error
		f.Found = fmt.Sprintf("the application's account holds %s on *.*", strings.Join(g.named(worst), ", "))
		f.Why = "it writes through read_only or past the binlog: after a failover two servers take orders, and one of them is wrong"
	}
	return f
}

func (g Grant) named(privileges []string) []string {
	if g.Admin {
		return append(slices.Clone(privileges), "GRANT OPTION")
	}
	return privileges
}

func (g Grant) revoke(privileges []string) string {
	return fmt.Sprintf("REVOKE %s ON %s FROM %s", strings.Join(privileges, ", "), g.Scope, g.Account)
}

func (g Grant) revokeAll(of Group, privileges []string) (sql []string) {
	if len(privileges) > 0 {
		sql = append(sql, g.revoke(privileges))
	}
	if g.Admin {
		sql = append(sql, fmt.Sprintf("REVOKE GRANT OPTION ON *.* FROM %s", g.Account))
	}
	if slices.ContainsFunc(privileges, func(p string) bool { return p == "ALL PRIVILEGES" || p == "INSERT" }) {
		// It may have worked by this grant alone.
		sql = append(sql, fmt.Sprintf("GRANT ALL PRIVILEGES ON `%s`.* TO %s", of.Database, g.Account))
	}
	return sql
}
