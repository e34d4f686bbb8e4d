// Command check-log judges a log of ours with code that is not ours: golang.org/x/mod/sumdb opens its checkpoints and
// checks its proofs, the transparency-dev note package its cosignature. It reads the case as JSON from standard input,
// prints what it accepted, and exits with 1 and a reason at the first thing it does not accept.
package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"

	cosignature "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type testCase struct {
	LogKey, WitnessKey     string
	Older, Newer           string // signed notes; Newer is cosigned
	Index                  int64
	Entry                  []byte
	Inclusion, Consistency []tlog.Hash
}

func main() {
	log.SetFlags(0)
	var c testCase
	must(json.NewDecoder(os.Stdin).Decode(&c))
	logKey, err := note.NewVerifier(c.LogKey)
	must(err)
	witnessKey, err := cosignature.NewVerifier(c.WitnessKey)
	must(err)

	_, oldSize, oldRoot := open(c.Older, logKey)
	newer, newSize, newRoot := open(c.Newer, logKey, witnessKey)
	if len(newer.Sigs) != 2 || len(newer.UnverifiedSigs) != 0 {
		log.Fatalf("verified %d signatures, left %d", len(newer.Sigs), len(newer.UnverifiedSigs))
	}
	at, err := cosignature.CoSigV1Timestamp(newer.Sigs[1])
	must(err)
	must(tlog.CheckRecord(c.Inclusion, newSize, newRoot, c.Index, tlog.RecordHash(c.Entry)))
	must(tlog.CheckTree(c.Consistency, newSize, newRoot, oldSize, oldRoot))
	fmt.Printf("opened %s at sizes %d and %d, cosigned by %s at %d; entry %d is included; the trees are consistent\n",
		newer.Sigs[0].Name, oldSize, newSize, newer.Sigs[1].Name, at.Unix(), c.Index)
}

// open verifies a checkpoint's signatures and gives its size and root.
func open(text string, keys ...note.Verifier) (*note.Note, int64, tlog.Hash) {
	n, err := note.Open([]byte(text), note.VerifierList(keys...))
	must(err)
	lines := strings.Split(n.Text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	must(err)
	root, err := base64.StdEncoding.DecodeString(lines[2])
	must(err)
	return n, size, tlog.Hash(root)
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
