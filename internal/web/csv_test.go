package web

import "testing"

func TestHarmless(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "琴房": "琴房", "=1+1": "'=1+1", "+8": "'+8", "-8": "-8", "-12.50": "-12.50", "-8+1": "'-8+1", "-A1": "'-A1", "@SUM(1)": "'@SUM(1)", "\t=1": "'\t=1", "＝1": "'＝1", "a=1": "a=1",
	} {
		if got := harmless(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}
