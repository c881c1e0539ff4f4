package cli

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/linli-io/linli/internal/audit"
	"github.com/linli-io/linli/internal/database"
	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/idp"
	"github.com/linli-io/linli/internal/notify"
)

// retentions are those of every database, by its name; of the libraries' tables,
// which are in several, by "*".
func retentions(t *testing.T) map[string][]database.Retention {
	t.Helper()
	all := map[string][]database.Retention{
		"host": host.Retention, "idp": idp.Retention, "*": slices.Concat(audit.Retention, notify.Retention),
	}
	for name, open := range services {
		s, err := open()
		if err != nil {
			t.Fatal(err)
		}
		if s.Migrations != nil && len(s.Retention) == 0 {
			t.Errorf("the service %s has a database, and does not say how long it keeps what", name)
		}
		all[name] = s.Retention
	}
	return all
}

// guides are where people read how long what is kept, with the words there.
var guides = map[string]struct {
	days, hours, minutes string
	kept                 map[database.Kept]string
}{
	"../../docs/county-it.md": {"%d days", "%d hours", "%d minutes", map[database.Kept]string{
		database.KeptWithPerson: "as long as the person's record", database.KeptAlways: "as long as the database",
	}},
	"../../docs/county-it.zh-CN.md": {"%d天", "%d小时", "%d分钟", map[database.Kept]string{
		database.KeptWithPerson: "与本人的档案一样久", database.KeptAlways: "与数据库一样久",
	}},
}

var kindRow = regexp.MustCompile("^\\| `([a-z*]+\\.[a-z_]+)` \\| [^|]+ \\| ([^|]+) \\|$")

// TestGuidesSayHowLongWhatIsKept compares the table of the guides with what the
// services do. That they do it, the tests of each show.
func TestGuidesSayHowLongWhatIsKept(t *testing.T) {
	for guide, words := range guides {
		want := map[string]int{}
		for name, kinds := range retentions(t) {
			for _, r := range kinds {
				text := words.kept[r.Kept]
				switch {
				case r.Kept == database.NotPersonal:
					continue
				case r.Kept != database.KeptFor:
				case r.For%(24*time.Hour) == 0 && r.For > 48*time.Hour:
					text = fmt.Sprintf(words.days, r.For/(24*time.Hour))
				case r.For%time.Hour == 0:
					text = fmt.Sprintf(words.hours, r.For/time.Hour)
				default:
					text = fmt.Sprintf(words.minutes, r.For/time.Minute)
				}
				want["`"+name+"."+r.Table+"`: "+text]++
			}
		}
		content, err := os.ReadFile(guide)
		if err != nil {
			t.Fatal(err)
		}
		_, section, _ := strings.Cut(string(content), "\n## 10. ")
		for _, line := range strings.Split(section, "\n") {
			if m := kindRow.FindStringSubmatch(line); m != nil {
				want["`"+m[1]+"`: "+m[2]]--
			}
		}
		for _, kind := range slices.Sorted(maps.Keys(want)) {
			switch n := want[kind]; {
			case n > 0:
				t.Errorf("%s has no row for %s", guide, kind)
			case n < 0:
				t.Errorf("%s has a row for %s, which is not so", guide, kind)
			}
		}
	}
}
