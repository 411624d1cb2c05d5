package simulate

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var mutantsFlag = flag.String("mutants", "", "run the mutants whose names fit this pattern, * for all, each with its seeds")

// root is the top-level folder of the repository.
const root = "../.."

// TestMutants builds the simulator over the code as each patch in testdata/mutants
// changes it, in a folder of its own, and has the seeds that the patch names find the
// mistake. The second line of a patch is: seeds: PROFILE FROM-TO.
func TestMutants(t *testing.T) {
	if *mutantsFlag == "" {
		t.Skip("make mutate runs it")
	}
	patches, err := filepath.Glob("testdata/mutants/" + *mutantsFlag + ".patch")
	if err != nil || len(patches) == 0 {
		t.Fatalf("no mutant is called %q: %v", *mutantsFlag, err)
	}
	for _, patch := range patches {
		t.Run(strings.TrimSuffix(filepath.Base(patch), ".patch"), func(t *testing.T) {
			began := time.Now()
			caught, err := mutant(t.TempDir(), patch)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Printf("%-34s %s, in %v\n", filepath.Base(t.Name()), caught, time.Since(began).Round(time.Second))
		})
	}
}

// TestPatches holds that each mutant can be made of today's code.
func TestPatches(t *testing.T) {
	patches, err := filepath.Glob("testdata/mutants/*.patch")
	if err != nil || len(patches) == 0 {
		t.Fatalf("no mutants: %v", err)
	}
	for _, patch := range patches {
		text, err := os.ReadFile(patch)
		if err == nil {
			_, err = apply(t.TempDir(), text)
		}
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(patch), err)
		}
	}
}

// mutant returns what a mutant was caught by.
func mutant(dir, patch string) (string, error) {
	text, err := os.ReadFile(patch)
	if err != nil {
		return "", err
	}
	var profile, seeds string
	if _, err := fmt.Sscanf(strings.SplitN(string(text), "\n", 3)[1], "seeds: %s %s", &profile, &seeds); err != nil {
		return "", fmt.Errorf("its second line names no seeds: %w", err)
	}
	overlay, err := apply(dir, text)
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "mutant.test")
	if out, err := exec.Command("go", "test", "-c", "-vet=off", "-overlay", overlay, "-o", binary, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("it cannot be built: %s", out)
	}
	out, err := exec.Command(binary, "-test.run=^TestSeeds$", "-test.timeout=5m", "-seeds="+seeds, "-profile="+profile, "-stop=1").CombinedOutput()
	if err == nil {
		return "", fmt.Errorf("it is not caught by %s %s: %s", profile, seeds, out)
	}
	_, found, ok := strings.Cut(string(out), ": seed ")
	if !ok {
		return "", fmt.Errorf("the simulator ends without a finding: %s", out)
	}
	found, _, _ = strings.Cut(found, "\n")
	return profile + " seed " + found, nil
}

// apply copies the files that a patch names, applies it to the copies, and returns
// the file that has the compiler take them in place of the originals.
func apply(dir string, patch []byte) (overlay string, err error) {
	replace := map[string]string{}
	for line := range strings.Lines(string(patch)) {
		file, ok := strings.CutPrefix(strings.TrimSpace(line), "+++ b/")
		if !ok {
			continue
		}
		original, err := filepath.Abs(filepath.Join(root, file))
		if err != nil {
			return "", err
		}
		text, err := os.ReadFile(original)
		if err != nil {
			return "", err
		}
		replace[original] = filepath.Join(dir, file)
		if err := os.MkdirAll(filepath.Dir(replace[original]), 0o700); err != nil {
			return "", err
		}
		if err := os.WriteFile(replace[original], text, 0o600); err != nil {
			return "", err
		}
	}
	git := exec.Command("git", "apply", "-")
	git.Dir, git.Stdin = dir, bytes.NewReader(patch)
	git.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir), "GIT_DIR="+filepath.Join(dir, "none"))
	if out, err := git.CombinedOutput(); err != nil {
		return "", fmt.Errorf("the patch no longer applies: %s", out)
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	overlay = filepath.Join(dir, "overlay.json")
	return overlay, os.WriteFile(overlay, text, 0o600)
}
