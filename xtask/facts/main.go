// Reads the published Go types of the Kubernetes API and prints their facts as JSON.
//
// usage: go run main.go IMPORT_PATH=FOLDER ...
//
// Only the standard library is used: the sources are parsed, never compiled.
package main

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"sort"
	"strconv"
	"strings"
)

type typeOut struct {
	Kind string   `json:"kind"`           // bool, int32, ..., message, list, map, items
	Name string   `json:"name,omitempty"` // of a message
	Elem *typeOut `json:"elem,omitempty"`
}

type fieldOut struct {
	JSON          string   `json:"json"`
	Tag           int      `json:"tag"`
	Type          *typeOut `json:"type"`
	Pointer       bool     `json:"pointer"`
	OmitEmpty     bool     `json:"omit_empty"`
	Required      bool     `json:"required"`
	Inline        bool     `json:"inline"`
	ListType      string   `json:"list_type"`
	ListKeys      []string `json:"list_keys"`
	PatchStrategy string   `json:"patch_strategy"`
	PatchKey      string   `json:"patch_key"`
	Default       string   `json:"default"`
	Doc           string   `json:"doc"`
}

type messageOut struct {
	Name   string      `json:"name"`
	GoName string      `json:"go_name"`
	Pkg    string      `json:"package"`
	Doc    string      `json:"doc"`
	Root   bool        `json:"root"`
	Atomic bool        `json:"atomic"`
	Fields []*fieldOut `json:"fields"`
}

type pkg struct {
	path   string
	types  map[string]*decl
	consts map[string]string
}

type decl struct {
	spec    *ast.TypeSpec
	doc     *ast.CommentGroup
	imports map[string]string
	pkg     *pkg
}

var packages = map[string]*pkg{}

// Types whose JSON or wire form is hand-written in Go.
var special = map[string]string{
	"k8s.io/apimachinery/pkg/api/resource.Quantity":   "quantity",
	"k8s.io/apimachinery/pkg/util/intstr.IntOrString": "int_or_string",
	"k8s.io/apimachinery/pkg/apis/meta/v1.Time":       "time",
	"k8s.io/apimachinery/pkg/apis/meta/v1.MicroTime":  "micro_time",
	"k8s.io/apimachinery/pkg/apis/meta/v1.Duration":   "duration",
	"k8s.io/apimachinery/pkg/apis/meta/v1.FieldsV1":   "fields_v1",
	"k8s.io/apimachinery/pkg/runtime.RawExtension":    "raw",
	"k8s.io/apimachinery/pkg/types.UID":               "string",
	"k8s.io/apimachinery/pkg/types.NodeName":          "string",
	"k8s.io/apimachinery/pkg/types.PatchType":         "string",
}

// Shapes of meta/v1 that hold Go interfaces; they are never stored or sent as request bodies.
var skipped = map[string]bool{"Table": true, "TableOptions": true, "InternalEvent": true, "WatchEvent": true}

func fail(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	os.Exit(1)
}

func load(path, folder string) *pkg {
	p := &pkg{path: path, types: map[string]*decl{}, consts: map[string]string{}}
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	if err != nil {
		fail("%s: %v", folder, err)
	}
	sort.Strings(files)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			fail("%s: %v", file, err)
		}
		imports := map[string]string{}
		for _, imported := range tree.Imports {
			target, _ := strconv.Unquote(imported.Path.Value)
			name := filepath.Base(target)
			if imported.Name != nil {
				name = imported.Name.Name
			}
			imports[name] = target
		}
		for _, d := range tree.Decls {
			general, ok := d.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range general.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					doc := spec.Doc
					if doc == nil {
						doc = general.Doc
					}
					p.types[spec.Name.Name] = &decl{spec, doc, imports, p}
				case *ast.ValueSpec:
					for i, name := range spec.Names {
						if i < len(spec.Values) {
							if literal, ok := spec.Values[i].(*ast.BasicLit); ok {
								p.consts[name.Name] = literal.Value
							}
						}
					}
				}
			}
		}
	}
	if len(p.types) == 0 {
		fail("%s: no types", folder)
	}
	return p
}

// comment splits a comment into its first sentence and its markers.
func comment(groups ...*ast.CommentGroup) (string, map[string][]string) {
	markers := map[string][]string{}
	var words []string
	for _, group := range groups {
		if group == nil {
			continue
		}
		ended := false
		for _, line := range strings.Split(group.Text(), "\n") {
			line = strings.TrimSpace(line)
			if strings.HasPrefix(line, "+") {
				name, value, _ := strings.Cut(line[1:], "=")
				markers[name] = append(markers[name], value)
				continue
			}
			if line == "" || strings.HasPrefix(line, "---") {
				ended = ended || len(words) > 0
			}
			if !ended {
				words = append(words, strings.Fields(line)...)
			}
		}
	}
	// Text drops lines that look like directives (+k8s:...), so read the raw lines for markers too.
	for _, group := range groups {
		if group == nil {
			continue
		}
		for _, c := range group.List {
			line := strings.TrimSpace(strings.TrimPrefix(c.Text, "//"))
			if strings.HasPrefix(line, "+") {
				name, value, _ := strings.Cut(line[1:], "=")
				if len(markers[name]) == 0 {
					markers[name] = append(markers[name], value)
				}
			}
		}
	}
	return sentence(strings.Join(words, " ")), markers
}

func sentence(text string) string {
	for i := 0; i+1 < len(text); i++ {
		if text[i] == '.' && text[i+1] == ' ' && !strings.HasSuffix(text[:i+1], "e.g.") && !strings.HasSuffix(text[:i+1], "i.e.") {
			text = text[:i+1]
			break
		}
	}
	if runes := []rune(text); len(runes) > 240 {
		text = strings.TrimSpace(string(runes[:239])) + "…"
	}
	return text
}

func openapi(path, name string) string {
	host, rest, _ := strings.Cut(path, "/")
	parts := strings.Split(host, ".")
	for i, j := 0, len(parts)-1; i < j; i, j = i+1, j-1 {
		parts[i], parts[j] = parts[j], parts[i]
	}
	return strings.Join(parts, ".") + "." + strings.ReplaceAll(rest, "/", ".") + "." + name
}

var wanted []*decl
var seen = map[string]bool{}

func want(d *decl) {
	key := d.pkg.path + "." + d.spec.Name.Name
	if !seen[key] {
		seen[key] = true
		wanted = append(wanted, d)
	}
}

// resolve tells what a type expression holds, and whether it is a pointer.
func resolve(from *decl, expr ast.Expr) (*typeOut, bool) {
	switch expr := expr.(type) {
	case *ast.StarExpr:
		inner, _ := resolve(from, expr.X)
		return inner, true
	case *ast.ArrayType:
		if ident, ok := expr.Elt.(*ast.Ident); ok && ident.Name == "byte" {
			return &typeOut{Kind: "bytes"}, false
		}
		inner, _ := resolve(from, expr.Elt)
		return &typeOut{Kind: "list", Elem: inner}, false
	case *ast.MapType:
		inner, _ := resolve(from, expr.Value)
		return &typeOut{Kind: "map", Elem: inner}, false
	case *ast.Ident:
		switch expr.Name {
		case "bool", "int32", "int64", "string", "float64":
			return &typeOut{Kind: expr.Name}, false
		}
		return named(from, from.pkg.path, expr.Name)
	case *ast.SelectorExpr:
		return named(from, from.imports[expr.X.(*ast.Ident).Name], expr.Sel.Name)
	}
	fail("%s: type %T", from.spec.Name.Name, expr)
	return nil, false
}

func named(from *decl, path, name string) (*typeOut, bool) {
	if kind, ok := special[path+"."+name]; ok {
		return &typeOut{Kind: kind}, false
	}
	p := packages[path]
	if p == nil || p.types[name] == nil {
		fail("%s uses %s.%s, whose package is not given", from.spec.Name.Name, path, name)
	}
	d := p.types[name]
	if _, ok := d.spec.Type.(*ast.StructType); ok {
		want(d)
		return &typeOut{Kind: "message", Name: openapi(path, name)}, false
	}
	inner, pointer := resolve(d, d.spec.Type)
	_, markers := comment(d.doc)
	if inner.Kind == "list" && len(markers["protobuf.nullable"]) > 0 {
		// A named list that the wire wraps in a message with one repeated field.
		return &typeOut{Kind: "items", Elem: inner.Elem}, pointer
	}
	return inner, pointer
}

func describe(d *decl) *messageOut {
	doc, markers := comment(d.doc)
	name := d.spec.Name.Name
	out := &messageOut{Name: openapi(d.pkg.path, name), GoName: name, Pkg: d.pkg.path, Doc: doc, Fields: []*fieldOut{}}
	for _, value := range markers["structType"] {
		out.Atomic = out.Atomic || value == "atomic"
	}
	for _, f := range d.spec.Type.(*ast.StructType).Fields.List {
		if f.Tag == nil {
			continue
		}
		raw, _ := strconv.Unquote(f.Tag.Value)
		field := describeField(d, f, reflect.StructTag(raw))
		if field == nil {
			continue
		}
		if field.Inline && strings.HasSuffix(field.Type.Name, ".meta.v1.TypeMeta") {
			out.Root = true
		}
		out.Fields = append(out.Fields, field)
	}
	sort.SliceStable(out.Fields, func(i, j int) bool { return out.Fields[i].Tag < out.Fields[j].Tag })
	return out
}

func describeField(d *decl, f *ast.Field, tag reflect.StructTag) *fieldOut {
	jsonTag, ok := tag.Lookup("json")
	if !ok || jsonTag == "-" {
		return nil
	}
	jsonName, options, _ := strings.Cut(jsonTag, ",")
	wire := tag.Get("protobuf")
	number := 0
	if wire == "-" {
		return nil
	} else if wire != "" {
		parsed, err := strconv.Atoi(strings.Split(wire, ",")[1])
		if err != nil {
			fail("%s: protobuf tag %q", d.spec.Name.Name, wire)
		}
		number = parsed
	}
	doc, markers := comment(f.Doc)
	out := &fieldOut{JSON: jsonName, Tag: number, Doc: doc, PatchStrategy: tag.Get("patchStrategy"), PatchKey: tag.Get("patchMergeKey")}
	out.Type, out.Pointer = resolve(d, f.Type)
	omitEmpty := strings.Contains(options, "omitempty")
	omitZero := strings.Contains(options, "omitzero")
	// For a struct by value `omitempty` says nothing in Go.
	structural := map[string]bool{"message": true, "quantity": true, "int_or_string": true, "time": true, "micro_time": true, "duration": true, "raw": true, "fields_v1": true}
	byValue := structural[out.Type.Kind] && !out.Pointer
	if out.Type.Kind == "duration" && !out.Pointer {
		byValue = true
	}
	out.OmitEmpty = omitZero || omitEmpty && !byValue
	_, optional := markers["optional"]
	_, optional2 := markers["k8s:optional"]
	_, required := markers["required"]
	out.Required = required || !optional && !optional2 && !omitEmpty && !omitZero
	if strings.Contains(options, "inline") || jsonName == "" {
		out.Inline, out.Required, out.OmitEmpty = true, false, false
		expr := f.Type
		if star, ok := expr.(*ast.StarExpr); ok {
			expr = star.X
		}
		switch expr := expr.(type) {
		case *ast.Ident:
			out.JSON = expr.Name
		case *ast.SelectorExpr:
			out.JSON = expr.Sel.Name
		}
	}
	for _, marker := range []string{"listType", "mapType", "structType"} {
		if values := markers[marker]; len(values) > 0 {
			out.ListType = values[0]
		}
	}
	out.ListKeys = markers["listMapKey"]
	if values := markers["default"]; len(values) > 0 {
		out.Default = values[0]
		if inner, ok := strings.CutPrefix(out.Default, "ref("); ok {
			out.Default = d.pkg.consts[strings.TrimSuffix(inner, ")")]
		}
	}
	return out
}

func main() {
	var order []string
	for _, arg := range os.Args[1:] {
		path, folder, ok := strings.Cut(arg, "=")
		if !ok {
			fail("want IMPORT_PATH=FOLDER, got %q", arg)
		}
		packages[path] = load(path, folder)
		order = append(order, path)
	}
	// Every struct that stands on the wire with a TypeMeta is a root; all others are reached from one.
	for _, path := range order {
		if !strings.HasSuffix(path, "/v1") {
			continue
		}
		p := packages[path]
		var names []string
		for name := range p.types {
			names = append(names, name)
		}
		sort.Strings(names)
		for _, name := range names {
			d := p.types[name]
			if structType, ok := d.spec.Type.(*ast.StructType); ok && ast.IsExported(name) && isRoot(structType) && !skipped[name] {
				want(d)
			}
		}
	}
	out := []*messageOut{}
	for i := 0; i < len(wanted); i++ {
		out = append(out, describe(wanted[i]))
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(out); err != nil {
		fail("%v", err)
	}
}

func isRoot(s *ast.StructType) bool {
	for _, f := range s.Fields.List {
		if len(f.Names) > 0 {
			continue
		}
		switch expr := f.Type.(type) {
		case *ast.SelectorExpr:
			if expr.Sel.Name == "TypeMeta" {
				return true
			}
		case *ast.Ident:
			if expr.Name == "TypeMeta" {
				return true
			}
		}
	}
	return false
}
