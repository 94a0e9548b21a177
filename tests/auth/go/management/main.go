// The official Go SDK as a client of the management API: reads one call a line, makes it by the SDK's own method, waits for
// its operation, and writes one line about what came of it.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"strings"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/client"
	"github.com/databricks/databricks-sdk-go/common/types/fieldmask"
	"github.com/databricks/databricks-sdk-go/config"
	"github.com/databricks/databricks-sdk-go/service/postgres"
)

type call struct {
	Method    string                     `json:"method"`
	Arguments map[string]json.RawMessage `json:"arguments"`
}

type said struct {
	// The SDK has no such method.
	Unknown bool   `json:"unknown,omitempty"`
	Answer  any    `json:"answer,omitempty"`
	Class   string `json:"class,omitempty"`
	Code    string `json:"code,omitempty"`
	Error   string `json:"error,omitempty"`
}

// The SDK's own classes of errors, special ones first.
var classes = []struct {
	name string
	is   error
}{
	{"AlreadyExists", apierr.ErrAlreadyExists},
	{"InvalidParameterValue", apierr.ErrInvalidParameterValue},
	{"NotFound", apierr.ErrNotFound},
	{"BadRequest", apierr.ErrBadRequest},
}

func camel(name string) string {
	words := strings.Split(name, "_")
	for at, word := range words {
		words[at] = strings.ToUpper(word[:1]) + word[1:]
	}
	return strings.Join(words, "")
}

func method(api reflect.Value, name string) reflect.Value {
	if strings.HasPrefix(name, "list_") {
		return api.MethodByName(camel(name) + "All")
	}
	return api.MethodByName(camel(name))
}

func request(of reflect.Type, arguments map[string]json.RawMessage) (reflect.Value, error) {
	made := reflect.New(of).Elem()
	for name, value := range arguments {
		field := made.FieldByName(camel(name))
		if !field.IsValid() {
			return made, errors.New("the request has no field for " + name)
		}
		if mask, ok := field.Addr().Interface().(*fieldmask.FieldMask); ok {
			var paths string
			if err := json.Unmarshal(value, &paths); err != nil {
				return made, err
			}
			*mask = *fieldmask.New(strings.Split(paths, ","))
		} else if err := json.Unmarshal(value, field.Addr().Interface()); err != nil {
			return made, err
		}
	}
	return made, nil
}

// results gives what a method returned: a value, if it has one, and the error.
func results(values []reflect.Value) (reflect.Value, error) {
	err, _ := values[len(values)-1].Interface().(error)
	if len(values) == 1 {
		return reflect.ValueOf(struct{}{}), err
	}
	return values[0], err
}

func made(api reflect.Value, one call) (any, error) {
	do := method(api, one.Method)
	asked, err := request(do.Type().In(1), one.Arguments)
	if err != nil {
		return nil, err
	}
	ctx := reflect.ValueOf(context.Background())
	answer, err := results(do.Call([]reflect.Value{ctx, asked}))
	if err != nil {
		return nil, err
	}
	if wait := answer.MethodByName("Wait"); wait.IsValid() {
		if answer, err = results(wait.Call([]reflect.Value{ctx})); err != nil {
			return nil, err
		}
	}
	return answer.Interface(), nil
}

func told(api reflect.Value, one call) said {
	if !method(api, one.Method).IsValid() {
		return said{Unknown: true}
	}
	answer, err := made(api, one)
	if err == nil {
		return said{Answer: answer}
	}
	failed := said{Error: err.Error()}
	var refused *apierr.APIError
	if errors.As(err, &refused) {
		failed.Code = refused.ErrorCode
	}
	for _, class := range classes {
		if errors.Is(err, class.is) {
			failed.Class = class.name
			break
		}
	}
	return failed
}

func main() {
	workspace, err := client.New(&config.Config{})
	if err != nil {
		panic(err)
	}
	api := reflect.ValueOf(postgres.NewPostgres(workspace))
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		one := call{}
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			panic(err)
		}
		if err := out.Encode(told(api, one)); err != nil {
			panic(err)
		}
	}
}
