package identitytest

import (
	"slices"

	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/identity"
)

// Member is somebody of the community that tests know.
type Member struct {
	// Account is the name at the issuer; empty for who has none.
	Account string
	identity.Person
	// family are the accounts or names of those for whom the member may act.
	family []string
}

// namespace sets identifiers of made-up people apart from all other name-based
// UUIDs.
var namespace = uuid.MustParse("5d0b8a57-7a0e-4c0b-9c53-2c1f3f0d9a11")

func member(account string, p identity.Person, family ...string) Member {
	p.ID = uuid.NewSHA1(namespace, []byte(p.LatinName)).String()
	return Member{account, p, family}
}

// Members are the people of the community. They and their numbers are made up.
var Members = []Member{
	member("chen-yutong", identity.Person{
		Name: "陈雨桐", LatinName: "Chen Yutong", Phone: "13800000001", Role: identity.Resident, BornOn: "2008-09-14"}),
	member("li-qiang", identity.Person{
		Name: "李强", LatinName: "Li Qiang", Phone: "13800000002", Role: identity.Resident, BornOn: "1988-03-02"},
		"Wang Guihua", "Li Xiaoman"),
	member("wang-guihua", identity.Person{
		Name: "王桂花", LatinName: "Wang Guihua", Phone: "13800000003", Role: identity.Resident, BornOn: "1954-05-21"}),
	member("zhao-changshun", identity.Person{
		Name: "赵长顺", LatinName: "Zhao Changshun", Phone: "13800000004", Role: identity.Resident, BornOn: "1942-02-08"}),
	member("sun-li", identity.Person{
		Name: "孙丽", LatinName: "Sun Li", Phone: "13800000005", Role: identity.Staff,
		Duties: []identity.Duty{identity.FrontDesk}, BornOn: "1995-11-30"}),
	member("zhou-jianguo", identity.Person{
		Name: "周建国", LatinName: "Zhou Jianguo", Phone: "13800000006", Role: identity.Staff,
		Duties: []identity.Duty{identity.FrontDesk, identity.Manager}, BornOn: "1976-10-01"}),
	member("ma-xiuying", identity.Person{
		Name: "马秀英", LatinName: "Ma Xiuying", Phone: "13800000007", Role: identity.Staff,
		Duties: []identity.Duty{identity.Kitchen}, BornOn: "1979-04-12"}),
	member("", identity.Person{
		Name: "李小满", LatinName: "Li Xiaoman", Role: identity.Resident, BornOn: "2018-06-01"}),
}

// MemberOf returns the member with an account.
func MemberOf(account string) (Member, bool) {
	for _, m := range Members {
		if m.Account == account && account != "" {
			return m, true
		}
	}
	return Member{}, false
}

// Known is what the community knows of a member.
func (m Member) Known() identity.Known {
	k := identity.Known{Person: m.Person}
	for _, other := range Members {
		if slices.Contains(m.family, other.LatinName) {
			k.Household = append(k.Household, identity.Represented{Person: other.Person, Scopes: identity.Scopes})
		}
	}
	return k
}
