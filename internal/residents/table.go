package residents

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"

	"github.com/linli-io/linli/api/v1alpha1"
)

// Limits of a table that is imported.
const (
	MaxTableBytes = 5 << 20
	MaxTableRows  = 10_000
	// maxUnzipped is how large an XLSX file may be when it is unpacked.
	maxUnzipped = 200 << 20
	maxColumns  = 60
)

// What is wrong with a table as a whole.
var (
	ErrTableTooLarge = fmt.Errorf("the file is larger than %d MB: divide it", MaxTableBytes>>20)
	ErrTableTooLong  = fmt.Errorf("the table has more than %d rows: divide it", MaxTableRows)
	ErrTableUnread   = errors.New("the file is neither CSV nor XLSX: save the table as one of these")
	ErrTableNoName   = errors.New("the first row names no column 姓名 (name): take the template")
	ErrTableEmpty    = errors.New("the table has no rows beneath its headings")
	ErrTableTwice    = errors.New("two columns have the same heading")
)

// Row is a line of a table that can be imported.
type Row struct {
	// Line is where it stands in the file, counted from 1, headings too.
	Line int `json:"line"`
	Details
}

// Mistake is a cell that cannot be imported, and so its line.
type Mistake struct {
	Line int `json:"line"`
	// Column is the heading above it.
	Column string `json:"column"`
	Problem
}

// Table is what was read of a file.
type Table struct {
	Rows     []Row     `json:"rows"`
	Mistakes []Mistake `json:"mistakes"`
	// Ignored are headings that mean nothing here; what is beneath them is
	// not kept.
	Ignored []string `json:"ignored"`
}

// Faulty is how many lines cannot be imported.
func (t Table) Faulty() int {
	lines := map[int]bool{}
	for _, m := range t.Mistakes {
		lines[m.Line] = true
	}
	return len(lines)
}

// headings are the headings of columns by what stands beneath them. The first
// is that of the template in Chinese, the second in English.
var headings = []struct {
	field string
	names []string
}{
	{"name", []string{"姓名", "name", "名字"}},
	{"latinName", []string{"拼音", "latin name", "姓名拼音", "latinname", "pinyin"}},
	{"phone", []string{"手机号", "phone", "电话", "手机", "手机号码", "电话号码", "联系电话", "mobile"}},
	{"bornOn", []string{"出生日期", "born on", "生日", "出生年月日", "bornon", "birthday", "date of birth"}},
	{"estate", []string{"小区", "estate", "小区名称", "所在小区"}},
	{"building", []string{"楼栋", "building", "楼号", "栋"}},
	{"unit", []string{"单元", "unit", "单元号"}},
	{"room", []string{"房号", "room", "门牌号", "房间号", "室"}},
	{"relation", []string{"与户主关系", "relation", "关系"}},
}

// relationNames are what people write for a relation to the head of a household.
var relationNames = map[string]Relation{
	"户主": "Head", "本人": "Head", "配偶": "Spouse", "妻子": "Spouse", "丈夫": "Spouse", "妻": "Spouse", "夫": "Spouse",
	"子女": "Child", "儿子": "Child", "女儿": "Child", "子": "Child", "女": "Child", "长子": "Child", "长女": "Child", "次子": "Child", "次女": "Child",
	"父母": "Parent", "父亲": "Parent", "母亲": "Parent", "父": "Parent", "母": "Parent",
	"祖父母": "Grandparent", "祖父": "Grandparent", "祖母": "Grandparent", "外祖父": "Grandparent", "外祖母": "Grandparent",
	"孙子女": "Grandchild", "孙子": "Grandchild", "孙女": "Grandchild", "外孙": "Grandchild", "外孙女": "Grandchild", "其他": "Other",
}

// relationOf is the relation that a text means, or the text, which no relation is.
func relationOf(text string) Relation {
	text = Clean(text)
	for _, r := range Relations {
		if strings.EqualFold(string(r), text) {
			return r
		}
	}
	if r, ok := relationNames[text]; ok {
		return r
	}
	return Relation(text)
}

// line is a line of a file before anything is made of it.
type line struct {
	number int
	cells  []string
}

// ReadTable reads a table of people, in CSV (UTF-8, UTF-16 with its mark, or
// GB18030; separated by commas, semicolons or tabs) or XLSX (the first sheet).
// Lines with mistakes are in Mistakes and not in Rows. An error is about the
// file as a whole.
func ReadTable(file []byte, estates []v1alpha1.Estate, today Date) (Table, error) {
	if len(file) > MaxTableBytes {
		return Table{}, ErrTableTooLarge
	}
	var lines []line
	var err error
	serial := func(text string) string { return text }
	if bytes.HasPrefix(file, []byte("PK\x03\x04")) {
		lines, serial, err = readXLSX(file)
	} else {
		lines, err = readCSV(file)
	}
	if err != nil {
		return Table{}, err
	}
	lines = slices.DeleteFunc(lines, func(l line) bool {
		return !slices.ContainsFunc(l.cells, func(c string) bool { return strings.TrimSpace(c) != "" })
	})
	if len(lines) == 0 {
		return Table{}, ErrTableNoName
	}
	if len(lines) == 1 {
		return Table{}, ErrTableEmpty
	}
	if len(lines) > MaxTableRows+1 {
		return Table{}, ErrTableTooLong
	}
	return readLines(lines, serial, estates, today)
}

// readLines makes people of lines, the first of which has the headings. serial
// is a date as text of what stands in a cell.
func readLines(lines []line, serial func(string) string, estates []v1alpha1.Estate, today Date) (Table, error) {
	t := Table{Rows: []Row{}, Mistakes: []Mistake{}, Ignored: []string{}}
	columns := map[string]int{}
	for i, cell := range lines[0].cells {
		field := fieldOf(cell)
		if field == "" {
			if cell = Clean(cell); cell != "" {
				t.Ignored = append(t.Ignored, cell)
			}
			continue
		}
		if _, twice := columns[field]; twice {
			return Table{}, fmt.Errorf("%w: %s", ErrTableTwice, Clean(cell))
		}
		columns[field] = i
	}
	if _, ok := columns["name"]; !ok {
		return Table{}, ErrTableNoName
	}
	for _, l := range lines[1:] {
		cell := func(field string) string {
			if i, ok := columns[field]; ok && i < len(l.cells) {
				return l.cells[i]
			}
			return ""
		}
		d, problems := Check(Details{
			Name: cell("name"), LatinName: cell("latinName"), Phone: whole(cell("phone")), BornOn: Date(serial(Clean(cell("bornOn")))),
			Relation: relationOf(cell("relation")),
			Home:     Home{Estate: cell("estate"), Building: cell("building"), Unit: cell("unit"), Room: whole(cell("room"))},
		}, estates, today)
		if len(problems) == 0 {
			t.Rows = append(t.Rows, Row{Line: l.number, Details: d})
			continue
		}
		for _, p := range problems {
			heading := headingOf(p.Field)
			if i, ok := columns[p.Field]; ok {
				heading = Clean(lines[0].cells[i])
			}
			p.Value = shorten(p.Value)
			t.Mistakes = append(t.Mistakes, Mistake{Line: l.number, Column: heading, Problem: p})
		}
	}
	return t, nil
}

// fieldOf is what stands beneath a heading; empty if that means nothing here.
func fieldOf(heading string) string {
	heading = strings.ToLower(strings.TrimRight(Clean(heading), "*:"))
	for _, h := range headings {
		if slices.Contains(h.names, heading) {
			return h.field
		}
	}
	return ""
}

func headingOf(field string) string {
	for _, h := range headings {
		if h.field == field {
			return h.names[0]
		}
	}
	return field
}

// shorten is the beginning of a text that is shown for its mistake.
func shorten(text string) string {
	const most = 40
	if utf8.RuneCountInString(text) <= most {
		return text
	}
	return string([]rune(text)[:most]) + "…"
}

// whole is a number as people write it, where a spreadsheet has kept it as
// 1.3800000001E10 or 501.0.
func whole(text string) string {
	text = Clean(text)
	if !strings.ContainsAny(text, ".eE") || strings.Trim(text, "0123456789.eE+") != "" {
		return text
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || n != math.Trunc(n) || math.Abs(n) >= 1e15 {
		return text
	}
	return strconv.FormatInt(int64(n), 10)
}

func readCSV(file []byte) ([]line, error) {
	text, err := decode(file)
	if err != nil {
		return nil, err
	}
	r := csv.NewReader(strings.NewReader(text))
	r.FieldsPerRecord = -1
	r.LazyQuotes = true
	r.Comma = separator(text)
	var lines []line
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			return lines, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%w (%v)", ErrTableUnread, err)
		}
		number, _ := r.FieldPos(0)
		if len(cells) > maxColumns || len(lines) > MaxTableRows*2 {
			return nil, ErrTableTooLong
		}
		lines = append(lines, line{number, slices.Clone(cells)})
	}
}

// decode is the text of a CSV file in one of the encodings in which Chinese
// spreadsheets save it.
func decode(file []byte) (string, error) {
	switch {
	case bytes.HasPrefix(file, []byte{0xff, 0xfe}), bytes.HasPrefix(file, []byte{0xfe, 0xff}):
		text, err := unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder().Bytes(file)
		if err != nil {
			return "", ErrTableUnread
		}
		file = text
	case utf8.Valid(file):
		file = bytes.TrimPrefix(file, []byte("\ufeff"))
	default:
		text, err := simplifiedchinese.GB18030.NewDecoder().Bytes(file)
		if err != nil {
			return "", ErrTableUnread
		}
		file = text
	}
	// What is no text has zeros in it, or bytes that stand for nothing.
	if bytes.IndexByte(file, 0) >= 0 || bytes.ContainsRune(file, utf8.RuneError) {
		return "", ErrTableUnread
	}
	return string(file), nil
}

// separator is what stands between the headings.
func separator(text string) rune {
	first, _, _ := strings.Cut(text, "\n")
	best := ','
	for _, c := range ";\t" {
		if strings.Count(first, string(c)) > strings.Count(first, string(best)) {
			best = c
		}
	}
	return best
}

// readXLSX reads the first sheet. Cells are read as they are kept, not as they
// are shown: a date is shown in the way of whoever made the sheet, and kept as
// a number of days, which serial makes a date of.
func readXLSX(file []byte) (lines []line, serial func(string) string, err error) {
	book, err := excelize.OpenReader(bytes.NewReader(file), excelize.Options{
		RawCellValue: true, UnzipSizeLimit: maxUnzipped, UnzipXMLSizeLimit: maxUnzipped,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("%w (%v)", ErrTableUnread, err)
	}
	defer book.Close() // removes temporary files, of which there are none at this size
	sheets := book.GetSheetList()
	if len(sheets) == 0 {
		return nil, nil, ErrTableUnread
	}
	props, err := book.GetWorkbookProps()
	if err != nil {
		return nil, nil, fmt.Errorf("%w (%v)", ErrTableUnread, err)
	}
	since1904 := props.Date1904 != nil && *props.Date1904
	rows, err := book.Rows(sheets[0])
	if err != nil {
		return nil, nil, fmt.Errorf("%w (%v)", ErrTableUnread, err)
	}
	defer rows.Close() // as above
	for number := 1; rows.Next(); number++ {
		cells, err := rows.Columns()
		if err != nil {
			return nil, nil, fmt.Errorf("%w (%v)", ErrTableUnread, err)
		}
		if number > MaxTableRows*2 {
			return nil, nil, ErrTableTooLong
		}
		lines = append(lines, line{number, cells[:min(len(cells), maxColumns)]})
	}
	if err := rows.Error(); err != nil {
		return nil, nil, fmt.Errorf("%w (%v)", ErrTableUnread, err)
	}
	return lines, func(text string) string { return fromSerial(text, since1904) }, nil
}

// fromSerial is the date of a number of days as spreadsheets keep it; another
// text is as it is.
func fromSerial(text string, since1904 bool) string {
	days, err := strconv.ParseFloat(text, 64)
	if err != nil || days < 1 || days > 100_000 {
		return text
	}
	t, err := excelize.ExcelDateToTime(days, since1904)
	if err != nil {
		return text
	}
	return t.Format(dateLayout)
}

// templateWriter writes the table to fill in.
type templateWriter func(english bool, estates []v1alpha1.Estate) ([]byte, error)

// templateExample is a made-up line that shows how to fill the template in.
func templateExample(estates []v1alpha1.Estate) []string {
	estate, building := "", "3号楼"
	if len(estates) > 0 {
		estate = estates[0].DisplayName
		if len(estates[0].Buildings) > 0 {
			building = estates[0].Buildings[0]
		}
	}
	return []string{"王桂花", "Wang Guihua", "13800000003", "1954-05-21", estate, building, "2单元", "501", "户主"}
}

// TemplateCSV is the table to fill in, in UTF-8 with the mark by which
// spreadsheets know it.
func TemplateCSV(english bool, estates []v1alpha1.Estate) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("\ufeff")
	w := csv.NewWriter(&b)
	w.UseCRLF = true
	if err := w.WriteAll([][]string{templateHeadings(english), templateExample(estates)}); err != nil {
		return nil, fmt.Errorf("writing the template: %w", err)
	}
	return b.Bytes(), nil
}

// TemplateXLSX is the table to fill in, all of whose cells are texts, so that
// numbers and dates stay as they are typed.
func TemplateXLSX(english bool, estates []v1alpha1.Estate) ([]byte, error) {
	book := excelize.NewFile()
	defer book.Close() // as in readXLSX
	const sheet, text = "Sheet1", 49
	style, err := book.NewStyle(&excelize.Style{NumFmt: text})
	if err != nil {
		return nil, fmt.Errorf("writing the template: %w", err)
	}
	last, err := excelize.ColumnNumberToName(len(headings))
	if err != nil {
		return nil, fmt.Errorf("writing the template: %w", err)
	}
	titles, example := templateHeadings(english), templateExample(estates)
	for _, err := range []error{
		book.SetColStyle(sheet, "A:"+last, style), book.SetColWidth(sheet, "A", last, 16),
		book.SetSheetRow(sheet, "A1", &titles), book.SetSheetRow(sheet, "A2", &example),
	} {
		if err != nil {
			return nil, fmt.Errorf("writing the template: %w", err)
		}
	}
	b, err := book.WriteToBuffer()
	if err != nil {
		return nil, fmt.Errorf("writing the template: %w", err)
	}
	return b.Bytes(), nil
}

func templateHeadings(english bool) []string {
	i := 0
	if english {
		i = 1
	}
	titles := make([]string, len(headings))
	for j, h := range headings {
		titles[j] = h.names[i]
	}
	return titles
}
