// Package sample fills a community with made-up people, through the APIs that
// its own staff and residents use: for demonstrations, measurements and tests.
package sample

import (
	"bytes"
	"encoding/csv"
	"slices"

	"github.com/linli-io/linli/internal/identity"
)

// Person is a made-up person.
type Person struct {
	// Account is the short name by which scripts and tests call whoever can
	// sign in; empty for who cannot.
	Account         string
	Name, LatinName string
	// Phone is a made-up mobile number; empty for who has none.
	Phone string
	// BornOn is a civil date, YYYY-MM-DD.
	BornOn string
	Duties []identity.Duty
	// Parents and Children are the Latin names of those for whom the person
	// may act.
	Parents, Children []string
}

// Staff reports whether the person has a duty.
func (p Person) Staff() bool { return len(p.Duties) > 0 }

// People are those whom every community of a demonstration knows, beside its
// own manager. Their numbers are nobody's.
var People = []Person{
	{Account: "chen-yutong", Name: "陈雨桐", LatinName: "Chen Yutong", Phone: "13800000001", BornOn: "2008-09-14"},
	{Account: "li-qiang", Name: "李强", LatinName: "Li Qiang", Phone: "13800000002", BornOn: "1988-03-02",
		Parents: []string{"Wang Guihua"}, Children: []string{"Li Xiaoman"}},
	{Account: "wang-guihua", Name: "王桂花", LatinName: "Wang Guihua", Phone: "13800000003", BornOn: "1954-05-21"},
	{Account: "zhao-changshun", Name: "赵长顺", LatinName: "Zhao Changshun", Phone: "13800000004", BornOn: "1942-02-08"},
	{Account: "sun-li", Name: "孙丽", LatinName: "Sun Li", Phone: "13800000005", BornOn: "1995-11-30",
		Duties: []identity.Duty{identity.FrontDesk}},
	{Account: "zhou-jianguo", Name: "周建国", LatinName: "Zhou Jianguo", Phone: "13800000006", BornOn: "1976-10-01",
		Duties: []identity.Duty{identity.FrontDesk, identity.Manager}},
	{Account: "ma-xiuying", Name: "马秀英", LatinName: "Ma Xiuying", Phone: "13800000007", BornOn: "1979-04-12",
		Duties: []identity.Duty{identity.Kitchen}},
	{Name: "李小满", LatinName: "Li Xiaoman", BornOn: "2018-06-01"},
}

// Of returns the person with an account.
func Of(account string) (Person, bool) {
	i := slices.IndexFunc(People, func(p Person) bool { return p.Account == account && account != "" })
	if i < 0 {
		return Person{}, false
	}
	return People[i], true
}

// table is the people as staff would import them. The grandmother, her son and
// his daughter live together.
func table() ([]byte, error) {
	lines := [][]string{{"姓名", "拼音", "手机号", "出生日期", "与户主关系"}}
	for _, p := range People {
		lines = append(lines, []string{p.Name, p.LatinName, p.Phone, p.BornOn, ""})
	}
	var b bytes.Buffer
	err := csv.NewWriter(&b).WriteAll(lines)
	return b.Bytes(), err
}
