package county

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// stepTime is how long one thing that a person does may take. It only bounds
// how long a test waits for what never comes: with four browsers on two cores
// that others use too, single steps have taken more than 20 s.
const stepTime = time.Minute

// browser starts a headless Chromium for this test, as a person's own: no
// cookies, nothing remembered.
func browser(t *testing.T) *person {
	t.Helper()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		needs(t, "chromium", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.WSURLReadTimeout(stepTime),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("accept-lang", "zh-CN"),
	)
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium refuses its sandbox to root
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute) // not t.Context, which is over before the cleanups
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	p := &person{T: t, ctx: ctx}
	// The first use of a context starts the browser and bounds its life.
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start %s: %v", chromium, err)
	}
	p.do(chromedp.EmulateViewport(360, 800))
	t.Cleanup(func() {
		if t.Failed() {
			p.screenshot("failed")
		}
	})
	return p
}

// person is somebody in front of a browser.
type person struct {
	*testing.T
	ctx             context.Context
	scriptsDisabled bool
}

func (p *person) do(steps ...chromedp.Action[chromedp.Void]) {
	p.Helper()
	// A step that waits for what never comes must not use up the whole test.
	ctx, cancel := context.WithTimeout(p.ctx, stepTime)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		where, _ := chromedp.Run(p.ctx, chromedp.Location())
		p.Fatalf("at %s: %v", where, err)
	}
}

// withoutJavaScript turns the pages' scripts off.
func (p *person) withoutJavaScript() {
	p.Helper()
	p.scriptsDisabled = true
	p.disableScripts(true)
}

func (p *person) disableScripts(disabled bool) {
	p.Helper()
	if _, err := chromedp.Call(p.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: disabled}); err != nil {
		p.Fatal(err)
	}
}

// width gives the window a width and waits until the page is laid out in it.
func (p *person) width(pixels int64) {
	p.Helper()
	p.do(chromedp.EmulateViewport(pixels, 800))
	eventually(p.T, fmt.Sprintf("a page that is %d px wide", pixels), func() (bool, string) {
		now, err := chromedp.Run(p.ctx, chromedp.Evaluate[int64](`window.innerWidth`))
		if err != nil {
			p.Fatal(err)
		}
		return now == pixels, fmt.Sprint(now)
	})
}

func (p *person) visit(url string) {
	p.Helper()
	p.do(chromedp.Navigate(url))
}

// click follows the first visible link or button whose text contains the words.
func (p *person) click(words string) {
	p.Helper()
	p.clickAt(fmt.Sprintf(`//main//*[self::a or self::button or self::summary][contains(normalize-space(.), %q)]`, words))
}

// clickAt clicks what an XPath or CSS selector finds and waits for the page
// that follows.
func (p *person) clickAt(selector string) {
	p.Helper()
	p.do(chromedp.ScrollIntoView(selector))
	ctx, cancel := context.WithTimeout(p.ctx, stepTime)
	defer cancel()
	if _, err := chromedp.RunResponse(ctx, chromedp.Click(selector, chromedp.NodeVisible)); err != nil {
		p.Fatalf("click %s: %v", selector, err)
	}
}

// sees waits until the page's main part shows the words.
func (p *person) sees(words string) {
	p.Helper()
	p.do(chromedp.WaitVisible(fmt.Sprintf(`//main//*[contains(normalize-space(.), %q)]`, words)))
}

func (p *person) location() string {
	p.Helper()
	where, err := chromedp.Run(p.ctx, chromedp.Location())
	if err != nil {
		p.Fatal(err)
	}
	return where
}

// screenshot keeps the whole page as a picture, in LINLI_SCREENSHOTS if that
// is set.
func (p *person) screenshot(name string) {
	p.Helper()
	dir := os.Getenv("LINLI_SCREENSHOTS")
	if dir == "" {
		return
	}
	picture, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		p.Logf("screenshot %s: %v", name, err)
		return
	}
	file := filepath.Join(dir, strings.ReplaceAll(p.Name(), "/", "-")+"-"+name+".png")
	if err := os.WriteFile(file, picture, 0o644); err != nil {
		p.Error(err)
	}
}

// finding is what axe-core reports of a page.
type finding struct {
	ID    string
	Help  string
	Nodes []struct {
		HTML   string
		Target []any
	}
}

// accessible lets axe-core look at the page as it stands, at these widths or
// else at the present one, and checks that nothing has to be scrolled sideways.
// Pictures are named picture; none are taken if that is empty.
func (p *person) accessible(picture string, widths ...int64) {
	p.Helper()
	source, err := os.ReadFile("../node_modules/axe-core/axe.min.js")
	if err != nil {
		needs(p.T, "npm", err)
	}
	// axe-core is a script: the page was loaded without its own, and stays so.
	if p.scriptsDisabled {
		p.disableScripts(false)
		defer p.disableScripts(true)
	}
	// The page's own policy forbids foreign scripts; the debugger is not the page.
	p.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := chromedp.Evaluate[any](string(source)+"; null")(ctx, t)
		return err
	}))
	if len(widths) == 0 {
		p.look(picture)
	}
	for _, width := range widths {
		p.width(width)
		name := picture
		if name != "" {
			name = fmt.Sprintf("%s-%d", picture, width)
		}
		p.look(name)
	}
}

// look lets axe-core, which is there already, look at the page.
func (p *person) look(picture string) {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, 2*stepTime)
	defer cancel()
	report, err := chromedp.Run(ctx, chromedp.Evaluate[string](
		`axe.run(document, {resultTypes: ["violations"]}).then(r => JSON.stringify(r.violations))`, chromedp.EvalAwaitPromise))
	if err != nil {
		p.Fatalf("axe-core: %v", err)
	}
	var findings []finding
	if err := json.Unmarshal([]byte(report), &findings); err != nil {
		p.Fatal(err)
	}
	wide, err := chromedp.Run(p.ctx, chromedp.Evaluate[[]float64](`[document.documentElement.clientWidth, document.documentElement.scrollWidth]`))
	if err != nil {
		p.Fatal(err)
	}
	for _, f := range findings {
		for _, node := range f.Nodes {
			p.Errorf("%s at %v px: %s (%s): %s", p.location(), wide[0], f.Help, f.ID, node.HTML)
		}
	}
	if wide[1] > wide[0] {
		p.Errorf("%s at %v px: the page is %v px wider than the window", p.location(), wide[0], wide[1]-wide[0])
	}
	if picture != "" {
		p.screenshot(picture)
	}
}
