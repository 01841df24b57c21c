package doctor

import (
	"fmt"
	"maps"
	"slices"

	"paytool/internal/pay"
	"paytool/internal/shard"
)

// checkBooks looks at what engines wrote into each primary.
func checkBooks(f Facts) (findings []Finding) {
	newest := 0
	for _, g := range f.Groups {
		if p, ok := g.primary(); ok && p.Books != nil {
			newest = max(newest, p.Books.Schema)
		}
	}
	for _, g := range f.Groups {
		p, ok := g.primary()
		if !ok || p.Books == nil {
			continue
		}
		for _, found := range checkOwner(g, p) {
			found.Group, found.Node = g.ID, p.Name
			findings = append(findings, found)
		}
		if found, ok := checkSchema(f, *p.Books, newest); ok {
			found.Group, found.Node = g.ID, p.Name
			findings = append(findings, found)
		}
	}
	return findings
}

func checkOwner(g Group, p Node) []Finding {
	b := p.Books
	switch {
	case !b.Prepared:
		return []Finding{{
			ID: "not_prepared", Severity: Note, Found: "no engine has worked on this group yet",
			Do: "start an engine, which makes the tables; if one has run, the dsn names the wrong database", Why: "there is nothing yet to examine in it",
		}}
	case b.Group != g.ID:
		return []Finding{{
			ID: "wrong_group", Severity: Error, Found: fmt.Sprintf("the database is that of group %d, the config says group %d", b.Group, g.ID),
			Do: "correct the dsn in the config", Why: "orders would be looked for where they are not; engines refuse the group",
		}}
	case b.PrimaryUID != p.uid():
		return []Finding{{
			ID: "stale_primary", Severity: Error, Found: fmt.Sprintf("the server's uid is %q, the group's primary is the server with uid %q", p.uid(), b.PrimaryUID),
			Do:  "point the dsn at that server; only where this one was promoted on purpose, and holds all that the old one acknowledged, record it as the primary",
			Why: "a former primary that comes back would take orders that the new one never sees; engines refuse it",
		}}
	}
	return nil
}

func checkSchema(f Facts, b Books, newest int) (Finding, bool) {
	switch {
	case !b.Prepared:
		return Finding{}, false
	case b.MinReader > f.Schema:
		return Finding{
			ID: "schema_too_new", Severity: Error, Found: fmt.Sprintf("its schema %d needs a program that knows %d, this one knows %d", b.Schema, b.MinReader, f.Schema),
			Do: "upgrade paytool here and wherever an engine runs", Why: "engines of this version refuse the group",
		}, true
	case b.Schema < newest:
		return Finding{
			ID: "schema_behind", Severity: Warning, Found: fmt.Sprintf("its schema is at version %d, that of other groups at %d", b.Schema, newest),
			Do: "let an engine of the newest version join it; it migrates the group", Why: "rows cannot move between groups whose tables differ",
		}, true
	}
	return Finding{}, false
}

// heard lists what the groups report, and whether every group did.
func (f Facts) heard() (reports []Books, all bool) {
	all = true
	for _, g := range f.Groups {
		p, ok := g.primary()
		if !ok || p.Books == nil || !p.Books.Prepared || p.Books.Group != g.ID {
			all = false
			continue
		}
		reports = append(reports, *p.Books)
	}
	return reports, all
}

// checkTags wants one owner for every tag. Where a group was not heard it may be
// the owner that is missing.
func checkTags(f Facts) (findings []Finding) {
	reports, all := f.heard()
	claims := map[pay.Tag][]shard.Claim{}
	for _, r := range reports {
		for _, c := range r.Claims {
			claims[c.Tag] = append(claims[c.Tag], c)
		}
	}
	for _, tag := range slices.Sorted(maps.Keys(claims)) {
		var owners []shard.GroupID
		for _, c := range claims[tag] {
			if c.State == shard.TagOwned {
				owners = append(owners, c.Group)
			}
		}
		switch {
		case len(owners) > 1:
			findings = append(findings, Finding{
				ID: "tag_owned_twice", Severity: Error, Found: fmt.Sprintf("tag %d is owned by %s: %s", tag, list(owners), words(claims[tag])),
				Do: "stop the engines that write to the group with the lower epoch, and set its row in group_state to moved once the other holds every order", Why: "updates of one order may land in either group",
			})
		case len(owners) == 0 && all:
			findings = append(findings, Finding{
				ID: "tag_not_owned", Severity: Error, Found: fmt.Sprintf("no group owns tag %d: %s", tag, words(claims[tag])),
				Do: "finish or take back the move that fenced it", Why: "updates of its orders wait at the fence, and then fail",
			})
		}
	}
	return findings
}

func words(claims []shard.Claim) string {
	text := ""
	for i, c := range claims {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf("group %d says %s at epoch %d", c.Group, c.State, c.Epoch)
	}
	return text
}

// checkEpochs wants every group and every instance at the newest epoch.
func checkEpochs(f Facts) (findings []Finding) {
	reports, _ := f.heard()
	var newest int64
	for _, r := range reports {
		newest = max(newest, r.Epoch)
		for _, c := range r.Claims {
			newest = max(newest, c.Epoch)
		}
	}
	for _, g := range f.Groups {
		p, ok := g.primary()
		if !ok || p.Books == nil || !p.Books.Prepared || p.Books.Group != g.ID {
			continue
		}
		if e := p.Books.Epoch; e < newest {
			findings = append(findings, Finding{
				ID: "epoch_behind", Severity: Warning, Group: g.ID, Node: p.Name, Found: fmt.Sprintf("the group is at epoch %d, the newest is %d", e, newest),
				Do:  "raise it; an instance that still works by the old epoch is then refused, and reads the topology again",
				SQL: []string{fmt.Sprintf("UPDATE `%s`.group_info SET epoch=%d WHERE id=1 AND epoch<%d", g.Database, newest, newest)},
				Why: "it was away when the topology changed: an instance that missed the change too may still write by the old one here",
			})
		}
		for _, i := range p.Books.Instances {
			if i.Epoch < p.Books.Epoch {
				findings = append(findings, Finding{
					ID: "instance_behind", Severity: Warning, Group: g.ID, Node: p.Name, Found: fmt.Sprintf("instance %s knows epoch %d, the group is at %d", i.Name, i.Epoch, p.Books.Epoch),
					Do: "see that the instance reaches every group; restart it if this stays", Why: "a move or an expansion waits for it",
				})
			}
		}
	}
	return findings
}
