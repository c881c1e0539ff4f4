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

// demoRecord is what the demo provider knows of a made-up person.
type demoRecord struct {
	// name is the person's within this list, and of the account if there is one.
	name string
	// sketch introduces who has an account; it is empty for who has none.
	sketch string
	// family names those for whom the person may act.
	family []string
	person Person
}

// demoRecords are the same in every community, apart from their identifiers.
// The phone numbers are made up like the rest.
var demoRecords = []demoRecord{
	{name: "chen-yutong", sketch: "identity.sketch.student", person: Person{
		Name: "陈雨桐", LatinName: "Chen Yutong", Phone: "13800000001", Role: Resident, BornOn: "2008-09-14"}},
	{name: "li-qiang", sketch: "identity.sketch.parent", family: []string{"wang-guihua", "li-xiaoman"}, person: Person{
		Name: "李强", LatinName: "Li Qiang", Phone: "13800000002", Role: Resident, BornOn: "1988-03-02"}},
	{name: "wang-guihua", sketch: "identity.sketch.senior", person: Person{
		Name: "王桂花", LatinName: "Wang Guihua", Phone: "13800000003", Role: Resident, BornOn: "1954-05-21"}},
	{name: "zhao-changshun", sketch: "identity.sketch.elder", person: Person{
		Name: "赵长顺", LatinName: "Zhao Changshun", Phone: "13800000004", Role: Resident, BornOn: "1942-02-08"}},
	{name: "sun-li", sketch: "identity.sketch.frontdesk", person: Person{
		Name: "孙丽", LatinName: "Sun Li", Phone: "13800000005", Role: Staff, Duties: []Duty{FrontDesk}, BornOn: "1995-11-30"}},
	{name: "zhou-jianguo", sketch: "identity.sketch.manager", person: Person{
		Name: "周建国", LatinName: "Zhou Jianguo", Phone: "13800000006", Role: Staff, Duties: []Duty{FrontDesk, Manager}, BornOn: "1976-10-01"}},
	{name: "li-xiaoman", person: Person{
		Name: "李小满", LatinName: "Li Xiaoman", Role: Resident, BornOn: "2018-06-01"}},
}

// in returns the person as a community knows them.
func (d demoRecord) in(s Settings) Person {
	p := d.person
	p.ID = uuid.NewSHA1(demoNamespace, []byte(s.Subjects+"/"+d.name)).String()
	return p
}

// demoNamespace sets identifiers of demo people apart from all other name-based UUIDs.
var demoNamespace = uuid.MustParse("5d0b8a57-7a0e-4c0b-9c53-2c1f3f0d9a11")

// DemoPeople returns the people to choose from, or nobody where the demo
// provider is not allowed.
func (i *Identity) DemoPeople() []DemoPerson {
	s := i.settings()
	if !s.DemoAllowed() {
		return nil
	}
	var people []DemoPerson
	for _, d := range demoRecords {
		if d.sketch != "" {
			people = append(people, DemoPerson{Account: d.name, Person: d.in(s), Sketch: d.sketch})
		}
	}
	return people
}

// demoAccount returns the person who signs in by the name of an account.
func demoAccount(s Settings, account string) (Person, bool) {
	for _, d := range demoRecords {
		if d.name == account && d.sketch != "" {
			return d.in(s), true
		}
	}
	return Person{}, false
}
