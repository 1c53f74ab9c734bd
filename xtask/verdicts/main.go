// Computes kstatus' verdict of every object in files of fixtures, and prints them by name as JSON.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

type fixture struct {
	Name string `json:"name"`
	// The object's age when it was seen, where the verdict depends on it.
	AgeSeconds *int64                    `json:"age_seconds"`
	Object     unstructured.Unstructured `json:"object"`
}

type verdict struct {
	State   string `json:"state"`
	Message string `json:"message"`
}

func main() {
	verdicts := map[string]verdict{}
	for _, name := range os.Args[1:] {
		if err := judge(name, verdicts); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
			os.Exit(1)
		}
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(verdicts); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func judge(file string, verdicts map[string]verdict) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var fixtures []fixture
	if err := json.Unmarshal(text, &fixtures); err != nil {
		return err
	}
	for _, one := range fixtures {
		if _, there := verdicts[one.Name]; there {
			return fmt.Errorf("two fixtures are called %q", one.Name)
		}
		if one.AgeSeconds != nil {
			born := time.Now().Add(-time.Duration(*one.AgeSeconds) * time.Second)
			one.Object.SetCreationTimestamp(metav1.NewTime(born))
		}
		result, err := status.Compute(&one.Object)
		if err != nil {
			verdicts[one.Name] = verdict{"Error", err.Error()}
			continue
		}
		verdicts[one.Name] = verdict{result.Status.String(), result.Message}
	}
	return nil
}
