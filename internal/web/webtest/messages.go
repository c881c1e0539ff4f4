// Package webtest holds the messages of a room to account.
package webtest

import (
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
)

// Messages checks the messages of a room, in dir/messages, against its sources
// in dirs: both languages have the same messages with the same placeholders,
// all ids begin with one of the prefixes, every message is used, and every
// message that is used exists. A message is used if its id stands as a string
// in a Go file, generated ones included; a string that ends with a dot, such as
// "booking.rule.", uses all messages that begin with it.
func Messages(t *testing.T, messages string, prefixes []string, dirs ...string) {
	t.Helper()
	zh := readMessages(t, filepath.Join(messages, "zh-CN.toml"))
	en := readMessages(t, filepath.Join(messages, "en.toml"))
	used := usedIDs(t, prefixes, dirs)
	for id, text := range zh {
		if !hasPrefix(id, prefixes) {
			t.Errorf("message %s begins with none of %v", id, prefixes)
		}
		other, ok := en[id]
		if !ok {
			t.Errorf("message %s has no English", id)
		} else if a, b := placeholders(text), placeholders(other); !slices.Equal(a, b) {
			t.Errorf("message %s has placeholders %v in Chinese and %v in English", id, a, b)
		}
		if !isUsed(used, id) {
			t.Errorf("message %s is not used", id)
		}
	}
	for id := range en {
		if _, ok := zh[id]; !ok {
			t.Errorf("message %s has no Chinese", id)
		}
	}
	for id, where := range used {
		if strings.HasSuffix(id, ".") {
			continue
		}
		if _, ok := zh[id]; !ok {
			t.Errorf("%s uses message %s, which does not exist", where, id)
		}
	}
}

// readMessages returns the text of each message, its plural forms joined.
func readMessages(t *testing.T, path string) map[string]string {
	t.Helper()
	var raw map[string]any
	if _, err := toml.DecodeFile(path, &raw); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	texts := map[string]string{}
	collect(texts, "", raw)
	return texts
}

func collect(texts map[string]string, id string, value any) {
	switch value := value.(type) {
	case string:
		texts[id] = value
	case map[string]any:
		if _, plural := value["other"].(string); plural && id != "" {
			var forms []string
			for _, form := range value {
				forms = append(forms, form.(string))
			}
			texts[id] = strings.Join(forms, " ")
			return
		}
		for key, inner := range value {
			if id != "" {
				key = id + "." + key
			}
			collect(texts, key, inner)
		}
	}
}

var placeholder = regexp.MustCompile(`\{\{\s*\.(\w+)\s*\}\}`)

func placeholders(text string) []string {
	var names []string
	for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func hasPrefix(id string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(id, p) })
}

func isUsed(used map[string]string, id string) bool {
	if _, ok := used[id]; ok {
		return true
	}
	for u := range used {
		if strings.HasSuffix(u, ".") && strings.HasPrefix(id, u) {
			return true
		}
	}
	return false
}

// idShape tells ids from other strings that begin alike, such as file names.
var idShape = regexp.MustCompile(`^[a-z]+\.[A-Za-z0-9.]*$`)

// usedIDs returns the ids in the string literals of the sources, and where.
func usedIDs(t *testing.T, prefixes, dirs []string) map[string]string {
	t.Helper()
	used := map[string]string{}
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go") || filepath.Ext(path) != ".go" {
				return err
			}
			src, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for _, s := range stringLiterals(path, src) {
				if idShape.MatchString(s) && hasPrefix(s, prefixes) {
					used[s] = path
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return used
}

func stringLiterals(path string, src []byte) []string {
	fset := token.NewFileSet()
	file := fset.AddFile(path, fset.Base(), len(src))
	var s scanner.Scanner
	s.Init(file, src, nil, 0)
	var literals []string
	for {
		_, tok, lit := s.Scan()
		switch {
		case tok == token.EOF:
			return literals
		case tok == token.STRING && len(lit) > 1:
			literals = append(literals, lit[1:len(lit)-1])
		}
	}
}
