package idp

import (
	"context"
	"io/fs"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/database"
	"github.com/linli-io/linli/internal/database/databasetest"
)

func TestNormalPhone(t *testing.T) {
	for typed, want := range map[string]string{
		"13800000002":             "13800000002",
		" 138 0000 0002 ":         "13800000002",
		"138-0000-0002":           "13800000002",
		"１３８００００００02":             "13800000002",
		"+86 138 0000 0002":       "13800000002",
		"＋86（138）00000002":        "13800000002",
		"0086 13800000002":        "13800000002",
		"8613800000002":           "13800000002",
		"\u202a13800000002\u202c": "13800000002",
		"+852 9123 4567":          "+85291234567",
		"00852 9123 4567":         "+85291234567",
		"+1 (202) 555-0123":       "+12025550123",
		"":                        "",
		"1380000000":              "",
		"138000000022":            "",
		"23800000002":             "",
		"+86 537 1234567":         "",
		"+0 123456789":            "",
		"13800000002;":            "",
		"1380000000x":             "",
		"+1234567890123456":       "",
	} {
		got, err := normalPhone(typed)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q is %q, %v; want %q", typed, got, err, want)
		}
	}
}

func TestStaffWait(t *testing.T) {
	for wrong, want := range map[int]time.Duration{
		0: 0, 2: 0, 3: 30 * time.Second, 4: time.Minute, 6: 4 * time.Minute, 9: 32 * time.Minute, 10: time.Hour, 1000: time.Hour,
	} {
		if got := staffWait(wrong); got != want {
			t.Errorf("after %d wrong ones %s, want %s", wrong, got, want)
		}
	}
}

func TestClientAddress(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, c := range []struct {
		remote    string
		forwarded []string
		want      string
	}{
		{"203.0.113.5:1234", nil, "203.0.113.5"},
		{"203.0.113.5:1234", []string{"198.51.100.1"}, "203.0.113.5"},
		{"10.1.2.3:1234", []string{"198.51.100.1"}, "198.51.100.1"},
		{"10.1.2.3:1234", []string{"192.0.2.66, 198.51.100.1"}, "198.51.100.1"},
		{"10.1.2.3:1234", []string{"192.0.2.66", "198.51.100.1, 10.9.9.9"}, "198.51.100.1"},
		{"10.1.2.3:1234", []string{"nonsense"}, "10.1.2.3"},
		{"10.1.2.3:1234", nil, "10.1.2.3"},
		{"[fd00::1]:80", []string{"2001:db8:1:2:3:4:5:6"}, "2001:db8:1:2::/64"},
		{"[::ffff:10.1.2.3]:80", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
	} {
		if got := clientAddress(c.remote, c.forwarded, trusted); got != c.want {
			t.Errorf("%s by way of %v is %s, want %s", c.remote, c.forwarded, got, c.want)
		}
	}
}

func TestRealm(t *testing.T) {
	for issuer, want := range map[string]string{
		"https://id.example.org":      "https://zhanqian.example.org",
		"https://id.example.org:443":  "https://zhanqian.example.org",
		"https://id.example.org:8443": "https://zhanqian.example.org:8443",
		"http://id.localhost:8080":    "http://zhanqian.example.org:8080",
		"http://id.localhost:80":      "http://zhanqian.example.org",
	} {
		u, err := url.Parse(issuer)
		if err != nil {
			t.Fatal(err)
		}
		c, ok := newRealm(u, "example.org").community("zhanqian.example.org")
		if !ok || c.RedirectURIs()[0] != want+"/identity/callback" || c.PostLogoutRedirectURIs()[0] != want+"/" {
			t.Errorf("%s: %v, %v", issuer, c.RedirectURIs(), c.PostLogoutRedirectURIs())
		}
	}
}

// The names that are reserved are those of the Community's own validation.
func TestReservedNames(t *testing.T) {
	crd, err := os.ReadFile("../../config/crd/bases/linli.io_communities.yaml")
	if err != nil {
		t.Fatal(err)
	}
	list := regexp.MustCompile(`self\.metadata\.name in \[([^\]]*)\]`).FindSubmatch(crd)
	if list == nil {
		t.Fatal("the CRD has no list of reserved names")
	}
	var names []string
	for _, quoted := range regexp.MustCompile(`'([a-z]+)'`).FindAllStringSubmatch(strings.ReplaceAll(string(list[1]), "''", "'"), -1) {
		names = append(names, quoted[1])
	}
	if !slices.Equal(names, reserved) {
		t.Errorf("the CRD reserves %v, the provider %v", names, reserved)
	}
}

func TestCommonPasswords(t *testing.T) {
	for _, common := range []string{
		"1234567890", "0987654321", "12345678910", "password123", "Password1!", "P@ssw0rd2024", "qwertyuiop", "1q2w3e4r5t", "1qaz2wsx3edc",
		"woaini1314", "woaini520520", "a123456789", "abc1234567", "qq123456789", "iloveyou123", "zhang123456", "liqiang1988", "aaaaaaaaaa",
		"abcabcabcabc", "1111122222", "admin@2026", "shequ123456", "5201314520", "19880302123", "administrator", "changeme123", "147258369000",
		"qazwsxedcrfv", "asdfghjkl;", "letmein1234", "monkeymonkey", "zhongguo1949", "Aa123456789", "woaizhongguo", "mima123456",
	} {
		if badPassword(common, "13800000005") == "" {
			t.Errorf("%q was taken", common)
		}
	}
	for _, good := range []string{
		"correct horse battery staple", "今天下午的阳光照在窗台上", "vM7#kq2Lx9", "tractor-umbrella-9", "bicycle on the roof", "Kx9mPz4wQv", "绿豆汤不放糖也很好喝吧",
	} {
		if why := badPassword(good, "13800000005"); why != "" {
			t.Errorf("%q was refused: %s", good, why)
		}
	}
	for _, phone := range []string{"13800000005 ok", "ok 138-0000-0005!", "my number 00000005"} {
		if why := badPassword(phone, "13800000005"); why != "idp.passwordPhone" {
			t.Errorf("%q: %q", phone, why)
		}
	}
}

func TestPasswordHash(t *testing.T) {
	hash := hashPassword("correct horse")
	if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") || hash == hashPassword("correct horse") {
		t.Errorf("hash %s", hash)
	}
	if !isPassword(hash, "correct horse") || isPassword(hash, "correct horsf") || isPassword("", "") || isPassword("$argon2id$v=19$m=1,t=1,p=1$$", "") {
		t.Error("hash and password are compared wrongly")
	}
}

// Keys follow each other: published a day before, signing for thirty, published
// a day after; a token can be checked for as long as it lives.
func TestKeysFollowEachOther(t *testing.T) {
	migrations, err := fs.Sub(files, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	databasetest.Each(t, migrations, func(t *testing.T, db *database.DB) {
		secrets, err := openSecrets(t.Context(), db, [][]byte{make([]byte, keySize)})
		if err != nil {
			t.Fatal(err)
		}
		s := &store{db: db, secrets: secrets}
		start := time.Now()
		const day = 24 * time.Hour
		first := ""
		for _, c := range []struct {
			after     time.Duration
			published int
			isFirst   bool
		}{
			{0, 1, true},
			{29*day - time.Hour, 1, true},
			{29 * day, 2, true},
			{30*day - time.Minute, 2, true},
			{30 * day, 2, false},
			{31*day - time.Minute, 2, false},
			{31 * day, 1, false},
			// The provider was down for long: the next key is published first.
			{90 * day, 2, false},
		} {
			now := start.Add(c.after)
			for range 2 { // a second replica has nothing to do
				if err := s.rotateKeys(t.Context(), now); err != nil {
					t.Fatal(err)
				}
			}
			signs, shown, err := s.keys(t.Context(), now)
			if err != nil {
				t.Fatal(err)
			}
			if first == "" {
				first = signs.KeyID
			}
			if len(shown) != c.published || (signs.KeyID == first) != c.isFirst || !slices.Contains(shown, signs) {
				t.Errorf("after %s: %d keys published, want %d; the first one signs: %v, want %v", c.after, len(shown), c.published, signs.KeyID == first, c.isFirst)
			}
			if strings.Contains(signs.Sealed, "PRIVATE") || signs.private == nil {
				t.Error("the key is not sealed")
			}
		}
	})
}

// What is not needed is erased: attempts and codes after a day, accounts that
// nobody can open thirty days after they were closed.
func TestErase(t *testing.T) {
	migrations, err := fs.Sub(files, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	databasetest.Each(t, migrations, func(t *testing.T, db *database.DB) {
		secrets, err := openSecrets(t.Context(), db, [][]byte{make([]byte, keySize)})
		if err != nil {
			t.Fatal(err)
		}
		s := &store{db: db, secrets: secrets}
		start := time.Now()
		signIn := func(phone string, now time.Time) {
			a := &attempt{Client: "zhanqian.example.org", ACR: ACRResident}
			if _, err := s.begin(a, now); err != nil {
				t.Fatal(err)
			}
			if err := s.prepareCode(t.Context(), *a, phone, "123456", "192.0.2.1", usualLimits, now); err != nil {
				t.Fatal(err)
			}
			if _, o, err := s.enterCode(t.Context(), a.ID, "123456", now); o != outcomeRight || err != nil {
				t.Fatal(o, err)
			}
		}
		if _, err := s.begin(&attempt{}, start); err != nil { // keeps nothing
			t.Fatal(err)
		}
		signIn("13800000001", start)
		signIn("13800000002", start)
		if _, err := s.useOnce(t.Context(), "x", start.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		count := func(table string) (n int) {
			if err := db.Reader().NewSelect().TableExpr(table).ColumnExpr("count(*)").Scan(t.Context(), &n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		const day = 24 * time.Hour
		for _, c := range []struct {
			after                                 time.Duration
			attempts, sends, assertions, accounts int
		}{
			{23 * time.Hour, 2, 2, 0, 2},
			{day, 0, 0, 0, 2},
			{180 * day, 0, 0, 0, 2},
			{210*day - time.Hour, 0, 0, 0, 2},
			{210 * day, 0, 0, 0, 0},
		} {
			if err := s.erase(t.Context(), start.Add(c.after)); err != nil {
				t.Fatal(err)
			}
			got := []int{count("attempts"), count("sends"), count("assertions"), count("accounts")}
			if want := []int{c.attempts, c.sends, c.assertions, c.accounts}; !slices.Equal(got, want) {
				t.Errorf("after %s there are %v attempts, sends, assertions, accounts; want %v", c.after, got, want)
			}
		}
	})
}

// A number that was not used for long opens another account, also before the
// old one is closed by the upkeep.
func TestDormantAccount(t *testing.T) {
	migrations, err := fs.Sub(files, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	databasetest.Each(t, migrations, func(t *testing.T, db *database.DB) {
		secrets, err := openSecrets(t.Context(), db, [][]byte{make([]byte, keySize)})
		if err != nil {
			t.Fatal(err)
		}
		s := &store{db: db, secrets: secrets}
		open := func(now time.Time) (id string) {
			err := db.Write(t.Context(), func(ctx context.Context, tx bun.Tx) error {
				acc, err := s.openAccount(ctx, tx, "13800000001", now)
				if err == nil {
					id = acc.ID
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return id
		}
		start := time.Now()
		first := open(start)
		if open(start.Add(dormant-time.Hour)) != first {
			t.Error("another account although it was used")
		}
		if open(start.Add(2*dormant)) == first {
			t.Error("the number alone opened an account that was not used for 180 days")
		}
	})
}

// What is sealed for one place cannot be moved to another, and the database
// holds no number.
func TestSealing(t *testing.T) {
	s := &secrets{sealing: aead(derive(make([]byte, keySize), "test"))}
	sealed := s.seal("attempt 1 phone", []byte("13800000001"))
	if v, err := s.unseal("attempt 1 phone", sealed); err != nil || string(v) != "13800000001" {
		t.Errorf("%s, %v", v, err)
	}
	if _, err := s.unseal("attempt 2 phone", sealed); err == nil {
		t.Error("a sealed value was opened in another place")
	}
}
