// The main journey with connect-go, over each of the three protocols that it speaks. Arguments: the URL of the public
// listener, an e-mail for each protocol. The stubs below gen/ are made by the test, from the proto files alone; errors.go is the
// example of docs/errors.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/structpb"

	errorv1 "ostiary.example/journey/gen/ostiary/error/v1"
	flowv1 "ostiary.example/journey/gen/ostiary/flow/v1"
	"ostiary.example/journey/gen/ostiary/flow/v1/flowv1connect"
	sessionv1 "ostiary.example/journey/gen/ostiary/session/v1"
	"ostiary.example/journey/gen/ostiary/session/v1/sessionv1connect"
)

const password = "correct horse battery"

func main() {
	url := os.Args[1]
	// HTTP/2 without TLS, which gRPC needs and the others can use.
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	h2 := &http.Client{Transport: &http.Transport{Protocols: protocols}}

	check(journey(h2, url, os.Args[2]))
	check(journey(h2, url, os.Args[3], connect.WithGRPC()))
	check(journey(http.DefaultClient, url, os.Args[4], connect.WithGRPCWeb()))
	fmt.Println("the journeys are complete")
}

func journey(client *http.Client, url, email string, options ...connect.ClientOption) error {
	ctx := context.Background()
	registration := flowv1connect.NewRegistrationServiceClient(client, url, options...)
	login := flowv1connect.NewLoginServiceClient(client, url, options...)
	sessions := sessionv1connect.NewSessionServiceClient(client, url, options...)

	traits, err := structpb.NewStruct(map[string]any{"email": email})
	if err != nil {
		return err
	}
	begun, err := registration.CreateRegistrationFlow(ctx, connect.NewRequest(&flowv1.CreateRegistrationFlowRequest{
		Client: flowv1.ClientKind_CLIENT_KIND_NATIVE,
	}))
	if err != nil {
		return err
	}
	registered, err := registration.SubmitRegistrationFlow(ctx, connect.NewRequest(&flowv1.SubmitRegistrationFlowRequest{
		FlowId: begun.Msg.GetFlow().GetId(),
		Traits: traits,
		Step: &flowv1.SubmitRegistrationFlowRequest_Password{
			Password: &flowv1.RegistrationPasswordStep{Password: password},
		},
	}))
	if err != nil {
		return err
	}

	flow, err := login.CreateLoginFlow(ctx, connect.NewRequest(&flowv1.CreateLoginFlowRequest{
		Client: flowv1.ClientKind_CLIENT_KIND_NATIVE,
	}))
	if err != nil {
		return err
	}
	done, err := login.SubmitLoginFlow(ctx, connect.NewRequest(&flowv1.SubmitLoginFlowRequest{
		FlowId:     flow.Msg.GetFlow().GetId(),
		Identifier: email,
		Step:       &flowv1.SubmitLoginFlowRequest_Password{Password: &flowv1.LoginPasswordStep{Password: password}},
	}))
	if err != nil {
		return err
	}
	token := done.Msg.GetCompleted().GetSignedIn().GetSessionToken()

	checked, err := sessions.CheckSession(ctx, checkOf(token))
	if err != nil {
		return err
	}
	if owner := registered.Msg.GetCompleted().GetSignedIn().GetIdentity().GetId(); owner == "" || checked.Msg.GetSession().GetIdentityId() != owner {
		return fmt.Errorf("the session is of %q, not of %q", checked.Msg.GetSession().GetIdentityId(), owner)
	}

	request := connect.NewRequest(&sessionv1.GetCurrentSessionRequest{})
	request.Header().Set("Authorization", "Bearer "+token)
	current, err := sessions.GetCurrentSession(ctx, request)
	if err != nil {
		return err
	}
	if current.Msg.GetSession().GetId() != checked.Msg.GetSession().GetId() {
		return errors.New("GetCurrentSession and CheckSession speak of different sessions")
	}

	_, err = sessions.CheckSession(ctx, checkOf("nonsense"))
	if code, reason := connect.CodeOf(err), reasonOf(err); code != connect.CodeUnauthenticated ||
		reason != errorv1.ErrorReason_ERROR_REASON_SESSION_TOKEN_MALFORMED {
		return fmt.Errorf("wanted a malformed token, got %v: %w", reason, err)
	}
	if message := userMessageOf(err); message.GetId() == 0 || message.GetText() == "" {
		return fmt.Errorf("nothing to tell a person: %w", err)
	}

	_, err = sessions.CheckSession(ctx, connect.NewRequest(&sessionv1.CheckSessionRequest{}))
	if violations := violationsOf(err); violations["token"] != errorv1.FieldViolationReason_FIELD_VIOLATION_REASON_REQUIRED {
		return fmt.Errorf("wanted a violation of token, got %v: %w", violations, err)
	}
	if reason := reasonOf(errors.New("of something else")); reason != errorv1.ErrorReason_ERROR_REASON_UNSPECIFIED {
		return fmt.Errorf("found %v in what is no error of Ostiary", reason)
	}
	return nil
}

func checkOf(token string) *connect.Request[sessionv1.CheckSessionRequest] {
	return connect.NewRequest(&sessionv1.CheckSessionRequest{
		Token: token,
	})
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
