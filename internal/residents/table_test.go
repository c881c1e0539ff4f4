package residents

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
)

const today = Date("2026-11-23")

func read(t testing.TB, file []byte) Table {
	t.Helper()
	table, err := ReadTable(file, estates, today)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// people is a table that a community might have.
const people = "姓名*,手机号码,出生日期,小区名称,楼栋,单元,房号,与户主关系,身份证号\r\n" +
	"王桂花,138 0000 0003,1954/5/21,站前花园,3,2单元,501,母亲,370827195405210000\r\n" +
	"\r\n" +
	"李强,13800000002,1988年3月2日,huayuan,3号楼,2单元,501,户主,\r\n" +
	"李小满,,20180601,站前花园,3栋,2单元,501,女儿,\r\n"

func TestReadCSV(t *testing.T) {
	gb, err := simplifiedchinese.GB18030.NewEncoder().Bytes([]byte(people))
	if err != nil {
		t.Fatal(err)
	}
	utf16, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().Bytes([]byte(strings.ReplaceAll(people, ",", "\t")))
	if err != nil {
		t.Fatal(err)
	}
	for encoding, file := range map[string][]byte{
		"UTF-8": []byte(people), "UTF-8 with its mark": []byte("\ufeff" + people), "GB18030": gb, "UTF-16": utf16,
		"semicolons": []byte(strings.ReplaceAll(people, ",", ";")), "Unix": []byte(strings.ReplaceAll(people, "\r\n", "\n")),
	} {
		got := read(t, file)
		if len(got.Mistakes) > 0 || !slices.Equal(got.Ignored, []string{"身份证号"}) {
			t.Errorf("%s: mistakes %v, ignored %v", encoding, got.Mistakes, got.Ignored)
		}
		mother, son, child := guihua, qiang, xiaoman
		mother.LatinName, son.LatinName, child.LatinName = "", "", ""
		mother.Relation, son.Relation, child.Relation = "Parent", "Head", "Child"
		if want := []Row{{2, mother}, {4, son}, {5, child}}; !slices.Equal(got.Rows, want) {
			t.Errorf("%s: read %+v", encoding, got.Rows)
		}
	}
}

func TestMistakesByLineAndColumn(t *testing.T) {
	got := read(t, []byte("name,phone,生日,estate,building,room,relation\n"+
		",13800000003,1954-05-21,,,,\n"+
		"王桂花,1380000,1954-02-30,nowhere,,,\n"+
		"李强,12345,2027-01-01,站前花园,9号楼,,\n"+
		"\"李\n小满\",,1850-01-01,,,501,Cousin\n"+
		"<b>,13800000003000,,tielu,12号楼,\"1\n2\",\n"+
		"陈雨桐,,,tielu,12号楼,101,\n"))
	var mistakes []string
	for _, m := range got.Mistakes {
		mistakes = append(mistakes, fmt.Sprintf("%d %s %s", m.Line, m.Column, m.Rule))
	}
	want := []string{
		"2 name nameMissing", "3 生日 dateOdd", "3 estate estateUnknown",
		"4 生日 dateAhead", "4 building buildingUnknown",
		"5 生日 dateLongPast", "5 relation relationUnknown", "5 estate homeWithoutEstate",
		"7 name nameOdd", "7 phone phoneOdd",
	}
	if !slices.Equal(mistakes, want) {
		t.Errorf("mistakes\n%s\nwant\n%s", strings.Join(mistakes, "\n"), strings.Join(want, "\n"))
	}
	if len(got.Rows) != 1 || got.Rows[0].Line != 9 || got.Faulty() != 5 {
		t.Errorf("rows %+v, %d faulty", got.Rows, got.Faulty())
	}
	for _, m := range got.Mistakes {
		if problemTexts[m.Rule] == "" {
			t.Errorf("%s is not explained", m.Rule)
		}
	}
}

func TestReadXLSX(t *testing.T) {
	book := excelize.NewFile()
	for cell, value := range map[string]any{
		"A1": "姓名", "B1": "手机号", "C1": "出生日期", "D1": "小区", "E1": "楼栋", "F1": "单元", "G1": "房号",
		"A2": "王桂花", "B2": 13800000003, "C2": guihua.BornOn.time(), "D2": "站前花园", "E2": 3, "F2": "2单元", "G2": 501,
		"A4": "李强", "B4": 1.3800000002e10, "C4": "1988-03-02", "D4": "站前花园", "E4": "3号楼", "F4": "2单元", "G4": "501",
		"A5": "=坏", "C5": "1954-13-01",
	} {
		if err := book.SetCellValue("Sheet1", cell, value); err != nil {
			t.Fatal(err)
		}
	}
	file, err := book.WriteToBuffer()
	if err != nil {
		t.Fatal(err)
	}
	got := read(t, file.Bytes())
	mother, son := guihua, qiang
	mother.LatinName, son.LatinName = "", ""
	if want := []Row{{2, mother}, {4, son}}; !slices.Equal(got.Rows, want) {
		t.Errorf("read %+v", got.Rows)
	}
	if len(got.Mistakes) != 2 || got.Mistakes[0].Line != 5 || got.Mistakes[1].Column != "出生日期" {
		t.Errorf("mistakes %+v", got.Mistakes)
	}
}

// The templates are read without a mistake, in both forms and languages.
func TestTemplates(t *testing.T) {
	for _, english := range []bool{false, true} {
		for _, write := range []func() ([]byte, error){
			func() ([]byte, error) { return TemplateCSV(english, estates) },
			func() ([]byte, error) { return TemplateXLSX(english, estates) },
		} {
			file, err := write()
			if err != nil {
				t.Fatal(err)
			}
			got := read(t, file)
			if len(got.Rows) != 1 || len(got.Mistakes)+len(got.Ignored) > 0 || got.Rows[0].Name != guihua.Name || got.Rows[0].BornOn != guihua.BornOn {
				t.Errorf("read the template as %+v", got)
			}
		}
	}
}

func TestUnreadableTables(t *testing.T) {
	long := "姓名\n" + strings.Repeat("王\n", MaxTableRows+1)
	for name, c := range map[string]struct {
		file string
		want error
	}{
		"empty":       {"", ErrTableNoName},
		"blank":       {"\n\n , \n", ErrTableNoName},
		"no headings": {"王桂花,13800000003\n李强,\n", ErrTableNoName},
		"no rows":     {"姓名,手机号\n", ErrTableEmpty},
		"twice":       {"姓名,手机,电话\n王,1,2\n", ErrTableTwice},
		"a picture":   {"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", ErrTableUnread},
		"zeros":       {strings.Repeat("\x00", 100), ErrTableUnread},
		"no zip":      {"PK\x03\x04 not really", ErrTableUnread},
		"too long":    {long, ErrTableTooLong},
		"too large":   {strings.Repeat("x", MaxTableBytes+1), ErrTableTooLarge},
	} {
		_, err := ReadTable([]byte(c.file), estates, today)
		wantError(t, err, c.want)
		if err != nil && tableProblem(err) == "" {
			t.Errorf("%s: %v has no message", name, err)
		}
	}
}

// addsUp fails unless each line with something in it, but for the headings, is
// a row or has mistakes, and is where the file has it.
func addsUp(t *testing.T, file []byte, table Table) {
	t.Helper()
	filled, last := len(table.Rows)+table.Faulty(), 2*MaxTableRows
	if !bytes.HasPrefix(file, []byte("PK\x03\x04")) {
		text, err := decode(file)
		if err != nil {
			t.Fatalf("read, and cannot be decoded: %v", err)
		}
		lines, err := readCSV(file)
		if err != nil {
			t.Fatal(err)
		}
		filled, last = -1, strings.Count(text, "\n")+1
		for _, l := range lines {
			if strings.TrimSpace(strings.Join(l.cells, "")) != "" {
				filled++
			}
		}
	}
	lines := map[int]bool{}
	before := 1
	for _, r := range table.Rows {
		if r.Line <= before || r.Line > last {
			t.Fatalf("a row is in line %d, after one in line %d of %d", r.Line, before, last)
		}
		before, lines[r.Line] = r.Line, true
	}
	before = 2
	for _, m := range table.Mistakes {
		if m.Line < before || m.Line > last || lines[m.Line] {
			t.Fatalf("a mistake is in line %d of %d, after one in line %d; a row is there: %v", m.Line, last, before, lines[m.Line])
		}
		if before = m.Line; m.Column == "" || problemTexts[m.Rule] == "" {
			t.Fatalf("a mistake is not explained: %+v", m)
		}
	}
	if len(table.Rows)+table.Faulty() != filled {
		t.Fatalf("%d rows and %d faulty lines, of %d", len(table.Rows), table.Faulty(), filled)
	}
}

// Whatever is read, it does not panic, each line counts once, and what counts
// as a person can be read again from what is written of it.
func FuzzReadTable(f *testing.F) {
	f.Add([]byte(people))
	f.Add([]byte("姓名;手机\n\"王;桂\"\"花\";1\n"))
	f.Add([]byte("\xff\xfeY\x00"))
	gb, err := simplifiedchinese.GB18030.NewEncoder().Bytes([]byte(people))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(gb)
	f.Add([]byte("name,phone,生日\n,13800000003,1954-05-21\n\"李\n小满\",1,\n\n王,,\n"))
	f.Add([]byte("PK\x03\x04"))
	xlsx, err := TemplateXLSX(false, estates)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(xlsx)
	f.Fuzz(func(t *testing.T, file []byte) {
		table, err := ReadTable(file, estates, today)
		if err != nil {
			if tableProblem(err) == "" {
				t.Fatalf("%v has no message", err)
			}
			return
		}
		addsUp(t, file, table)
		var b bytes.Buffer
		w := csv.NewWriter(&b)
		lines := [][]string{templateHeadings(false)}
		for _, r := range table.Rows {
			if checked, problems := Check(r.Details, estates, today); len(problems) > 0 || checked != r.Details {
				t.Fatalf("read %+v, which checks as %+v, %v", r.Details, checked, problems)
			}
			lines = append(lines, []string{r.Name, r.LatinName, r.Phone, string(r.BornOn), r.Estate, r.Building, r.Unit, r.Room, string(r.Relation)})
		}
		if len(table.Rows) == 0 {
			return
		}
		if err := w.WriteAll(lines); err != nil {
			t.Fatal(err)
		}
		again, err := ReadTable(b.Bytes(), estates, today)
		if err != nil || len(again.Rows) != len(table.Rows) {
			t.Fatalf("read again: %+v, %v", again, err)
		}
		for i := range again.Rows {
			if again.Rows[i].Details != table.Rows[i].Details {
				t.Fatalf("read again as %+v, not %+v", again.Rows[i].Details, table.Rows[i].Details)
			}
		}
	})
}
