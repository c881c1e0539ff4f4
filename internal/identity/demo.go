package identity

import (
	"github.com/google/uuid"
)

// DemoPerson is a made-up person whom a visitor of a demonstration can choose
// to be.
type DemoPerson struct {
	// Account is the short name that scripts use.
	Account string
	Person  Person
	// Sketch is the id of the message that introduces the person in a line.
	Sketch string
}

// demoPeople are the same in every community, apart from their identifiers.
var demoPeople = []DemoPerson{
	{Account: "chen-yutong", Sketch: "identity.sketch.student", Person: Person{
		Name: "陈雨桐", LatinName: "Chen Yutong", Role: Resident, BornOn: "2008-09-14"}},
	{Account: "li-qiang", Sketch: "identity.sketch.parent", Person: Person{
		Name: "李强", LatinName: "Li Qiang", Role: Resident, BornOn: "1988-03-02"}},
	{Account: "wang-guihua", Sketch: "identity.sketch.senior", Person: Person{
		Name: "王桂花", LatinName: "Wang Guihua", Role: Resident, BornOn: "1954-05-21"}},
	{Account: "zhao-changshun", Sketch: "identity.sketch.elder", Person: Person{
		Name: "赵长顺", LatinName: "Zhao Changshun", Role: Resident, BornOn: "1942-02-08"}},
	{Account: "sun-li", Sketch: "identity.sketch.frontdesk", Person: Person{
		Name: "孙丽", LatinName: "Sun Li", Role: Staff, Duties: []Duty{FrontDesk}, BornOn: "1995-11-30"}},
	{Account: "zhou-jianguo", Sketch: "identity.sketch.manager", Person: Person{
		Name: "周建国", LatinName: "Zhou Jianguo", Role: Staff, Duties: []Duty{FrontDesk, Manager}, BornOn: "1976-10-01"}},
}

// DemoPeople returns the people to choose from, or nobody where the demo
// provider is not allowed.
func (i *Identity) DemoPeople() []DemoPerson {
	s := i.settings()
	if !s.DemoAllowed() {
		return nil
	}
	people := make([]DemoPerson, len(demoPeople))
	for n, d := range demoPeople {
		d.Person.ID = demoID(s, d.Account)
		people[n] = d
	}
	return people
}

func demoPerson(s Settings, account string) (Person, bool) {
	for _, d := range demoPeople {
		if d.Account == account {
			d.Person.ID = demoID(s, account)
			return d.Person, true
		}
	}
	return Person{}, false
}

// demoNamespace sets identifiers of demo people apart from all other name-based UUIDs.
var demoNamespace = uuid.MustParse("5d0b8a57-7a0e-4c0b-9c53-2c1f3f0d9a11")

func demoID(s Settings, account string) string {
	return uuid.NewSHA1(demoNamespace, []byte(s.Subjects+"/"+account)).String()
}
