// Composite signatures by the standard library of Go, put together after
// draft-ietf-lamps-pq-composite-sigs-19. Reads a list of tasks as JSON from standard input and
// writes a list of answers: what each half of a signature is found to be, or a signature.
package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/mldsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/json"
	"os"
)

type algorithm struct {
	mlDsa mldsa.Parameters
	curve elliptic.Curve // nil: Ed25519
	hash  crypto.Hash    // of ECDSA
	pre   crypto.Hash    // of the message
}

var algorithms = map[string]algorithm{
	"MLDSA65-ECDSA-P256-SHA512": {mldsa.MLDSA65(), elliptic.P256(), crypto.SHA256, crypto.SHA512},
	"MLDSA87-ECDSA-P384-SHA512": {mldsa.MLDSA87(), elliptic.P384(), crypto.SHA384, crypto.SHA512},
	"MLDSA65-Ed25519-SHA512":    {mldsa.MLDSA65(), nil, 0, crypto.SHA512},
	"MLDSA44-ECDSA-P256-SHA256": {mldsa.MLDSA44(), elliptic.P256(), crypto.SHA256, crypto.SHA256},
}

type task struct {
	Algorithm string
	Message   []byte
	Context   []byte
	PublicKey []byte // to verify with
	Signature []byte
	Seed      []byte // to sign with: of ML-DSA
	Scalar    []byte // and of the other half
}

type answer struct {
	MlDsa       bool
	Traditional bool
	PublicKey   []byte
	Signature   []byte
}

func hash(kind crypto.Hash, data []byte) []byte {
	h := kind.New()
	h.Write(data)
	return h.Sum(nil)
}

func (t task) label() string { return "COMPSIG-" + t.Algorithm }

func (t task) representative() []byte {
	m := []byte("CompositeAlgorithmSignatures2025" + t.label())
	m = append(append(m, byte(len(t.Context))), t.Context...)
	return append(m, hash(algorithms[t.Algorithm].pre, t.Message)...)
}

func (t task) verify() (found answer) {
	a, m := algorithms[t.Algorithm], t.representative()
	keyCut, cut := a.mlDsa.PublicKeySize(), a.mlDsa.SignatureSize()
	if len(t.PublicKey) < keyCut || len(t.Signature) < cut {
		return
	}
	rest, signature := t.PublicKey[keyCut:], t.Signature[cut:]
	if key, err := mldsa.NewPublicKey(a.mlDsa, t.PublicKey[:keyCut]); err == nil {
		options := &mldsa.Options{Context: t.label()}
		found.MlDsa = mldsa.Verify(key, m, t.Signature[:cut], options) == nil
	}
	if a.curve == nil {
		found.Traditional = len(rest) == ed25519.PublicKeySize && ed25519.Verify(rest, m, signature)
	} else if key, err := ecdsa.ParseUncompressedPublicKey(a.curve, rest); err == nil {
		found.Traditional = ecdsa.VerifyASN1(key, hash(a.hash, m), signature)
	}
	return
}

func (t task) sign() answer {
	a, m := algorithms[t.Algorithm], t.representative()
	key := must(mldsa.NewPrivateKey(a.mlDsa, t.Seed))
	first := must(key.Sign(nil, m, &mldsa.Options{Context: t.label()}))
	public := key.PublicKey().Bytes()
	if a.curve == nil {
		other := ed25519.NewKeyFromSeed(t.Scalar)
		public = append(public, other.Public().(ed25519.PublicKey)...)
		return answer{PublicKey: public, Signature: append(first, ed25519.Sign(other, m)...)}
	}
	other := must(ecdsa.ParseRawPrivateKey(a.curve, t.Scalar))
	public = append(public, must(other.PublicKey.Bytes())...)
	second := must(ecdsa.SignASN1(rand.Reader, other, hash(a.hash, m)))
	return answer{PublicKey: public, Signature: append(first, second...)}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func main() {
	_, _ = sha256.New(), sha512.New() // linked in, for crypto.Hash
	var tasks []task
	if err := json.NewDecoder(os.Stdin).Decode(&tasks); err != nil {
		panic(err)
	}
	answers := []answer{}
	for _, t := range tasks {
		if t.Seed != nil {
			answers = append(answers, t.sign())
		} else {
			answers = append(answers, t.verify())
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		panic(err)
	}
}
