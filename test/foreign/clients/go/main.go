// The main journey with connect-go, over each of the three protocols that it speaks. Arguments: the URL of the public
// listener, an e-mail for each protocol. The stubs are made by buf.gen.yaml, from the proto files alone; errors.go is the example of
// docs/errors.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/structpb"

	errorv1 "ostiary.example/go/ostiary/error/v1"
	flowv1 "ostiary.example/go/ostiary/flow/v1"
	"ostiary.example/go/ostiary/flow/v1/flowv1connect"
	optionv1 "ostiary.example/go/ostiary/option/v1"
	sessionv1 "ostiary.example/go/ostiary/session/v1"
	"ostiary.example/go/ostiary/session/v1/sessionv1connect"
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
	owner, err := register(ctx, registration, email)
	if err != nil {
		return err
	}
	login := flowv1connect.NewLoginServiceClient(client, url, options...)
	forms := flowv1connect.NewFlowServiceClient(client, url, options...)
	token, err := logIn(ctx, login, forms, email)
	if err != nil {
		return err
	}
	return look(ctx, sessionv1connect.NewSessionServiceClient(client, url, options...), token, owner)
}

// register makes an account by the typed service, and gives the identity's id.
func register(ctx context.Context, registration flowv1connect.RegistrationServiceClient, email string) (string, error) {
	begun, err := registration.CreateRegistrationFlow(ctx, connect.NewRequest(&flowv1.CreateRegistrationFlowRequest{
		Client: flowv1.ClientKind_CLIENT_KIND_NATIVE,
	}))
	if err != nil {
		return "", err
	}
	answer, err := registration.SubmitRegistrationFlow(ctx, connect.NewRequest(&flowv1.SubmitRegistrationFlowRequest{
		FlowId: begun.Msg.GetFlow().GetId(),
		Traits: &structpb.Struct{Fields: map[string]*structpb.Value{"email": structpb.NewStringValue(email)}},
		Step: &flowv1.SubmitRegistrationFlowRequest_Password{
			Password: &flowv1.RegistrationPasswordStep{Password: password},
		},
	}))
	if err != nil {
		return "", err
	}
	if answer.Msg.GetCompleted() == nil {
		return "", fmt.Errorf("the registration was not completed: %v", answer.Msg)
	}
	return answer.Msg.GetCompleted().GetSignedIn().GetIdentity().GetId(), nil
}

// logIn signs in, first with a wrong password, then by sending the form that is to be drawn now. It gives the session's token.
func logIn(ctx context.Context, login flowv1connect.LoginServiceClient, forms flowv1connect.FlowServiceClient, email string) (string, error) {
	begun, err := login.CreateLoginFlow(ctx, connect.NewRequest(&flowv1.CreateLoginFlowRequest{
		Client: flowv1.ClientKind_CLIENT_KIND_NATIVE,
	}))
	if err != nil {
		return "", err
	}
	tried, err := login.SubmitLoginFlow(ctx, connect.NewRequest(&flowv1.SubmitLoginFlowRequest{
		FlowId:     begun.Msg.GetFlow().GetId(),
		Identifier: email,
		Step:       &flowv1.SubmitLoginFlowRequest_Password{Password: &flowv1.LoginPasswordStep{Password: "wrong horse"}},
	}))
	if err != nil {
		return "", err
	}
	if reason := tried.Msg.GetRejected().GetReason(); reason != flowv1.RejectionReason_REJECTION_REASON_CREDENTIALS_INVALID {
		return "", fmt.Errorf("wanted wrong credentials, got %v", reason)
	}

	answer, err := forms.SubmitForm(ctx, connect.NewRequest(&flowv1.SubmitFormRequest{
		// What to draw now, after any outcome.
		FlowId: tried.Msg.GetFlow().GetId(),
		Step:   "password",
		Values: map[string]*structpb.Value{
			"identifier":        structpb.NewStringValue(email),
			"password.password": structpb.NewStringValue(password),
		},
	}))
	if err != nil {
		return "", err
	}
	if answer.Msg.GetCompleted() == nil {
		return "", fmt.Errorf("the login was not completed: %v", answer.Msg)
	}
	return answer.Msg.GetCompleted().GetSignedIn().GetSessionToken(), nil
}

// look looks at the session as a service does that was sent its token, and at what is refused.
func look(ctx context.Context, sessions sessionv1connect.SessionServiceClient, token, owner string) error {
	checked, err := sessions.CheckSession(ctx, connect.NewRequest(&sessionv1.CheckSessionRequest{
		Token:   token,
		Demands: []*optionv1.Demand{atLeast(optionv1.AssuranceLevel_ASSURANCE_LEVEL_AAL1), recent},
		View:    sessionv1.SessionView_SESSION_VIEW_FULL,
	}))
	if err != nil {
		return err
	}
	if id := checked.Msg.GetIdentity().GetId(); owner == "" || id != owner {
		return fmt.Errorf("the session is of %q, not of %q", id, owner)
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

	_, err = sessions.CheckSession(ctx, connect.NewRequest(&sessionv1.CheckSessionRequest{
		Token:   token,
		Demands: []*optionv1.Demand{atLeast(optionv1.AssuranceLevel_ASSURANCE_LEVEL_AAL2)},
	}))
	if reason := reasonOf(err); reason != errorv1.ErrorReason_ERROR_REASON_SESSION_ASSURANCE_TOO_LOW {
		return fmt.Errorf("wanted a second factor to be missing, got %v: %w", reason, err)
	}
	if message := userMessageOf(err); message.GetId() != 9000517 || message.GetText() == "" {
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

func atLeast(level optionv1.AssuranceLevel) *optionv1.Demand {
	return &optionv1.Demand{Demand: &optionv1.Demand_AssuranceLevel{AssuranceLevel: level}}
}

var recent = &optionv1.Demand{Demand: &optionv1.Demand_Freshness{Freshness: &optionv1.Freshness{
	Within: &optionv1.Freshness_FreshnessClass{FreshnessClass: optionv1.FreshnessClass_FRESHNESS_CLASS_PRIVILEGED},
}}}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
