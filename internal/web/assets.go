package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed static
var static embed.FS

// AssetPrefix is the path beneath which files of the pages are served.
const AssetPrefix = "/static/"

type asset struct {
	url, contentType string
	body             []byte
}

// assets by file name. The name in the URL carries a hash of the content, so
// that browsers may keep the file for ever.
var assets = func() map[string]asset {
	all := map[string]asset{}
	err := fs.WalkDir(static, "static", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := static.ReadFile(name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(body)
		base, ext := path.Base(name), path.Ext(name)
		hashed := strings.TrimSuffix(base, ext) + "." + hex.EncodeToString(sum[:5]) + ext
		all[base] = asset{url: AssetPrefix + hashed, contentType: mime.TypeByExtension(ext), body: body}
		return nil
	})
	if err != nil {
		panic(err) // the files are compiled in
	}
	return all
}()

// Asset returns the URL of a file of the pages, such as style.css. A file that
// is not there panics: its name is written in the code.
func Asset(name string) string {
	a, ok := assets[name]
	if !ok {
		panic("web: no file " + name)
	}
	return a.url
}

// Assets serves the files of the pages beneath AssetPrefix.
func (p *Pages) Assets() http.Handler {
	byURL := map[string]asset{}
	for _, a := range assets {
		byURL[a.url] = a
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, ok := byURL[r.URL.Path]
		if !ok {
			p.Error(w, r, http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Type", a.contentType)
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.body))
	})
}
