package suite_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	link      = regexp.MustCompile(`\]\(([^)#:]+)(#[a-z0-9-]+)?\)`)
	anchor    = regexp.MustCompile(`\]\(([^)#:]*)#([a-z0-9-]+)\)`)
	jsonBlock = regexp.MustCompile("(?ms)^```json\n(.*?)^```$")
	heading   = regexp.MustCompile(`(?m)^#+ (.*)$`)
	notInSlug = regexp.MustCompile(`[^a-z0-9 _-]`)
)

// The links of every document lead to a file, and to a heading in it, and what is
// to be copied as JSON is JSON.
func TestDocuments(t *testing.T) {
	t.Parallel()
	var pages []string
	for _, pattern := range []string{"*.md", "doc/*.md"} {
		found, err := filepath.Glob(rooted(t, pattern))
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, found...)
	}
	if len(pages) < 10 {
		t.Fatalf("only %q", pages)
	}
	texts := map[string]string{}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		texts[page] = string(text)
	}
	for page, text := range texts {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s: a link to %s: %v", page, m[1], err)
			}
		}
		for _, m := range anchor.FindAllStringSubmatch(text, -1) {
			target := page
			if m[1] != "" {
				target = filepath.Join(filepath.Dir(page), m[1])
			}
			if !slugs(texts[target])[m[2]] {
				t.Errorf("%s: %s has no heading %s", page, target, m[2])
			}
		}
		for _, m := range jsonBlock.FindAllStringSubmatch(text, -1) {
			if !json.Valid([]byte(m[1])) {
				t.Errorf("%s: this is not JSON:\n%s", page, m[1])
			}
		}
	}
}

// slugs are the names by which a page's headings can be linked to.
func slugs(text string) map[string]bool {
	found := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		slug := notInSlug.ReplaceAllString(strings.ToLower(m[1]), "")
		found[strings.ReplaceAll(slug, " ", "-")] = true
	}
	return found
}
