package sharing

import (
	"strings"
	"testing"

	"github.com/linli-io/linli/internal/database"
)

func menus() Dataset {
	return Dataset{
		Name: "canteen.menus", Title: "t", Text: "t", Floor: Unconditional, SQL: "SELECT 1", Columns: []Column{
			{"day", Date, "t", None}, {"dish_name", String, "t", None},
		},
	}
}

func TestValidate(t *testing.T) {
	if err := menus().Validate(); err != nil {
		t.Error(err)
	}
	about := menus()
	about.Columns = append(about.Columns, Column{"person", String, "t", Personal})
	about.Subject = "person"
	if err := about.Validate(); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(d *Dataset){
		"name":                    func(d *Dataset) { d.Name = "Menus" },
		"title and text":          func(d *Dataset) { d.Text = "" },
		"floor":                   func(d *Dataset) { d.Floor = "Free" },
		"sql":                     func(d *Dataset) { d.SQL = "" },
		"columns":                 func(d *Dataset) { d.Columns = nil },
		"there once":              func(d *Dataset) { d.Columns[1].Name = "day" },
		"in lower case":           func(d *Dataset) { d.Columns[1].Name = "dish name" },
		"is no type":              func(d *Dataset) { d.Columns[1].Type = "Text" },
		"is no tag":               func(d *Dataset) { d.Columns[1].Tag = "" },
		"name a message":          func(d *Dataset) { d.Columns[1].Title = "" },
		"name the subject":        func(d *Dataset) { d.Columns[1].Tag = Personal },
		"is no column that is":    func(d *Dataset) { d.Subject = "person" },
		`"day" is no column that`: func(d *Dataset) { d.Subject = "day" },
	} {
		d := menus()
		change(&d)
		if err := d.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestQuery(t *testing.T) {
	d := menus()
	if d.Query(database.SQLite) != "SELECT 1" || d.Query(database.Postgres) != "SELECT 1" {
		t.Error("one SQL is not for both engines")
	}
	d.Postgres = "SELECT 2"
	if d.Query(database.SQLite) != "SELECT 1" || d.Query(database.Postgres) != "SELECT 2" {
		t.Error("each engine has its own")
	}
}
