// Go's crypto/tls as client or server for the tests. One JSON object in os.Args[1] says what to
// be; answers are lines of JSON on stdout: {"port"} from a server, then one report a connection.
// A server echoes what it gets; a client sends `size` bytes, half-closes and compares the echo.
package main

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
)

type options struct {
	Role, Certificate, Key, CA, ServerName string
	Groups, ALPN                           []string
	Port, Size                             int
}

type report struct {
	Port       int    `json:"port,omitempty"`
	Error      string `json:"error,omitempty"`
	Group      string `json:"group,omitempty"`
	ALPN       string `json:"alpn,omitempty"`
	Cipher     string `json:"cipher,omitempty"`
	ServerName string `json:"serverName,omitempty"`
	Peer       string `json:"peer,omitempty"`
	HelloRetry bool   `json:"helloRetry"`
	Intact     bool   `json:"intact"`
}

var groups = map[string]tls.CurveID{
	"X25519MLKEM768":     tls.X25519MLKEM768,
	"SecP256r1MLKEM768":  tls.SecP256r1MLKEM768,
	"SecP384r1MLKEM1024": tls.SecP384r1MLKEM1024,
	"x25519":             tls.X25519,
	"secp256r1":          tls.CurveP256,
	"secp384r1":          tls.CurveP384,
}

func main() {
	var wanted options
	must(json.Unmarshal([]byte(os.Args[1]), &wanted))
	go leaveWithParent()
	if wanted.Role == "server" {
		serve(wanted)
	} else {
		connect(wanted)
	}
}

func serve(wanted options) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	say(report{Port: listener.Addr().(*net.TCPAddr).Port})
	config := configure(wanted)
	for {
		socket, err := listener.Accept()
		must(err)
		go echo(tls.Server(socket, config))
	}
}

func echo(connection *tls.Conn) {
	defer connection.Close()
	if err := connection.Handshake(); err != nil {
		say(report{Error: err.Error()})
		return
	}
	say(describe(connection))
	if _, err := io.Copy(connection, connection); err != nil {
		say(report{Error: err.Error()})
		return
	}
	connection.CloseWrite()
}

func connect(wanted options) {
	connection, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", wanted.Port), configure(wanted))
	if err != nil {
		say(report{Error: err.Error()})
		return
	}
	defer connection.Close()
	sent := make([]byte, wanted.Size)
	rand.Read(sent)
	go func() {
		connection.Write(sent)
		connection.CloseWrite()
	}()
	echoed, err := io.ReadAll(connection)
	if err != nil {
		say(report{Error: err.Error()})
		return
	}
	outcome := describe(connection)
	outcome.Intact = bytes.Equal(sent, echoed)
	say(outcome)
}

func configure(wanted options) *tls.Config {
	config := &tls.Config{
		MinVersion: tls.VersionTLS13,
		NextProtos: wanted.ALPN,
		ServerName: wanted.ServerName,
	}
	for _, name := range wanted.Groups {
		config.CurvePreferences = append(config.CurvePreferences, groups[name])
	}
	if wanted.Certificate != "" {
		pair, err := tls.LoadX509KeyPair(wanted.Certificate, wanted.Key)
		must(err)
		config.Certificates = []tls.Certificate{pair}
	}
	if wanted.CA != "" {
		pem, err := os.ReadFile(wanted.CA)
		must(err)
		config.RootCAs = x509.NewCertPool()
		config.RootCAs.AppendCertsFromPEM(pem)
		config.ClientCAs = config.RootCAs
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return config
}

func describe(connection *tls.Conn) report {
	state := connection.ConnectionState()
	outcome := report{
		Group:      state.CurveID.String(),
		ALPN:       state.NegotiatedProtocol,
		Cipher:     tls.CipherSuiteName(state.CipherSuite),
		ServerName: state.ServerName,
		HelloRetry: state.HelloRetryRequest,
	}
	if len(state.PeerCertificates) > 0 {
		outcome.Peer = hex.EncodeToString(state.PeerCertificates[0].Raw)
	}
	return outcome
}

// leaveWithParent ends the program when the test that started it is gone.
func leaveWithParent() {
	io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

func say(outcome report) {
	line, _ := json.Marshal(outcome)
	os.Stdout.Write(append(line, '\n'))
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
