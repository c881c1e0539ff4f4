package identity

import (
	"bytes"
	"strings"
	"testing"
)

func TestSealedIsReadByItsMakerOnly(t *testing.T) {
	first, second, other := bytes.Repeat([]byte("1"), KeySize), bytes.Repeat([]byte("2"), KeySize), bytes.Repeat([]byte("3"), KeySize)
	sealed, err := Keys{Current: first}.seal(purposeSignIn, attempt{State: "s", Return: "/mine"})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(sealed, "mine") {
		t.Error("what was sealed can be read")
	}
	for name, c := range map[string]struct {
		keys    Keys
		purpose string
		sealed  string
		good    bool
	}{
		"its maker":                {Keys{Current: first}, purposeSignIn, sealed, true},
		"after one change":         {Keys{Current: second, Previous: first}, purposeSignIn, sealed, true},
		"after two changes":        {Keys{Current: other, Previous: second}, purposeSignIn, sealed, false},
		"another community":        {Keys{Current: other}, purposeSignIn, sealed, false},
		"for another purpose":      {Keys{Current: first}, purposeInvitation, sealed, false},
		"changed":                  {Keys{Current: first}, purposeSignIn, sealed[:len(sealed)-3] + "AAA", false},
		"nothing":                  {Keys{Current: first}, purposeSignIn, "", false},
		"without a key (RFC 7518)": {Keys{Current: first}, purposeSignIn, "eyJhbGciOiJub25lIn0.e30.", false},
	} {
		var got attempt
		err := c.keys.open(c.purpose, c.sealed, &got)
		if (err == nil) != c.good || c.good && got.Return != "/mine" {
			t.Errorf("%s: %v, %+v", name, err, got)
		}
	}
}

func TestInvitationsDiffer(t *testing.T) {
	keys := Keys{Current: bytes.Repeat([]byte("1"), KeySize)}
	seen := map[string]string{}
	for _, of := range [][2]string{{"zhanqian", "meng-xiaoman"}, {"zhanqian", "sun-li"}, {"guting", "meng-xiaoman"}, {"zhanqian meng", "xiaoman"}} {
		code, err := keys.Invitation(of[0], of[1])
		if err != nil || len(code) != 24 {
			t.Errorf("invitation of %v: %q, %v", of, code, err)
		}
		if who, known := seen[code]; known {
			t.Errorf("%v and %s have the same invitation", of, who)
		}
		seen[code] = of[0] + "/" + of[1]
	}
}
