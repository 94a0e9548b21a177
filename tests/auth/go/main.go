// The official Go SDK as a witness: reads one environment a line, resolves it as the SDK does, sends one request to the API
// with what it authorizes, and writes one line about it.
package main

import (
	"bufio"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"

	"github.com/databricks/databricks-sdk-go/config"
)

// said is what one environment came to.
type said struct {
	AuthType string `json:"auth_type"`
	Error    string `json:"error,omitempty"`
}

func witness(env map[string]string) said {
	os.Clearenv()
	for name, value := range env {
		if err := os.Setenv(name, value); err != nil {
			return said{Error: err.Error()}
		}
	}
	cfg := &config.Config{HTTPTimeoutSeconds: 20, RetryTimeoutSeconds: 5}
	if err := ask(cfg); err != nil {
		return said{AuthType: cfg.AuthType, Error: err.Error()}
	}
	return said{AuthType: cfg.AuthType}
}

func ask(cfg *config.Config) error {
	if err := cfg.EnsureResolved(); err != nil {
		return err
	}
	request, err := http.NewRequest(http.MethodGet, "http://unknown.test", nil)
	if err != nil {
		return err
	}
	if err := cfg.Authenticate(request); err != nil {
		return err
	}
	// Some types learn the host by authenticating.
	if request.URL, err = url.Parse(cfg.Host + "/api/2.0/preview/scim/v2/Me"); err != nil {
		return err
	}
	request.Host = request.URL.Host
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return err
}

// keep makes Go read the variables of proxies and certificates, which it does once.
func keep() error {
	request, err := http.NewRequest(http.MethodGet, "https://example.test", nil)
	if err != nil {
		return err
	}
	if _, err = http.ProxyFromEnvironment(request); err != nil {
		return err
	}
	_, err = x509.SystemCertPool()
	return err
}

func main() {
	if err := keep(); err != nil {
		panic(err)
	}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		env := map[string]string{}
		if err := json.Unmarshal(lines.Bytes(), &env); err != nil {
			panic(err)
		}
		if err := out.Encode(witness(env)); err != nil {
			panic(err)
		}
	}
}
