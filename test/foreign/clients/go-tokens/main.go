// Checks signed tokens by the published keys, as a service in Go does.
// Usage: tokens <URL of the keys> <issuer> <audience> <time in seconds> <token>...
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// What a token says beside the registered claims.
type sessionClaims struct {
	SessionID        string   `json:"sid"`
	AssuranceLevel   string   `json:"acr"`
	Methods          []string `json:"amr"`
	AuthenticateTime int64    `json:"auth_time"`
}

func readKeys(url string) (*jose.JSONWebKeySet, error) {
	response, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var keys jose.JSONWebKeySet
	return &keys, json.NewDecoder(response.Body).Decode(&keys)
}

func verify(text string, keys *jose.JSONWebKeySet, expected jwt.Expected) (jwt.Claims, sessionClaims, error) {
	var registered jwt.Claims
	var session sessionClaims
	token, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.ES256, jose.EdDSA})
	if err != nil {
		return registered, session, err
	}
	if token.Headers[0].ExtraHeaders[jose.HeaderType] != "ostiary-session+jwt" {
		return registered, session, errors.New("it is of another type")
	}
	if err := token.Claims(keys, &registered, &session); err != nil {
		return registered, session, err
	}
	return registered, session, registered.ValidateWithLeeway(expected, 5*time.Second)
}

func main() {
	seconds, err := strconv.ParseInt(os.Args[4], 10, 64)
	if err != nil {
		panic(err)
	}
	keys, err := readKeys(os.Args[1])
	if err != nil {
		panic(err)
	}
	expected := jwt.Expected{
		Issuer:      os.Args[2],
		AnyAudience: jwt.Audience{os.Args[3]},
		Time:        time.Unix(seconds, 0),
	}
	for _, text := range os.Args[5:] {
		claims, session, err := verify(text, keys, expected)
		if err != nil {
			fmt.Println("refused")
			continue
		}
		fmt.Println(claims.Subject, session.SessionID, session.AssuranceLevel, session.Methods)
	}
}
