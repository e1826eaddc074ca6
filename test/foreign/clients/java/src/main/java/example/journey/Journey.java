package example.journey;

import com.google.protobuf.Struct;
import com.google.protobuf.util.Values;
import example.ostiary.error.v1.ErrorReason;
import example.ostiary.flow.v1.ClientKind;
import example.ostiary.flow.v1.CreateLoginFlowRequest;
import example.ostiary.flow.v1.CreateRegistrationFlowRequest;
import example.ostiary.flow.v1.FlowServiceGrpc;
import example.ostiary.flow.v1.LoginPasswordStep;
import example.ostiary.flow.v1.LoginServiceGrpc;
import example.ostiary.flow.v1.RegistrationPasswordStep;
import example.ostiary.flow.v1.RegistrationServiceGrpc;
import example.ostiary.flow.v1.SubmitFormRequest;
import example.ostiary.flow.v1.SubmitFormResponse;
import example.ostiary.flow.v1.SubmitLoginFlowRequest;
import example.ostiary.flow.v1.SubmitLoginFlowResponse;
import example.ostiary.flow.v1.SubmitRegistrationFlowRequest;
import example.ostiary.flow.v1.SubmitRegistrationFlowResponse;
import example.ostiary.option.v1.AssuranceLevel;
import example.ostiary.option.v1.Demand;
import example.ostiary.option.v1.Freshness;
import example.ostiary.option.v1.FreshnessClass;
import example.ostiary.session.v1.CheckSessionRequest;
import example.ostiary.session.v1.CheckSessionResponse;
import example.ostiary.session.v1.GetCurrentSessionRequest;
import example.ostiary.session.v1.SessionServiceGrpc;
import example.ostiary.session.v1.SessionView;
import io.grpc.Channel;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.MetadataUtils;

/** The main journey with grpc-java. Arguments: the host and port of the public listener, an e-mail. */
public final class Journey {
  private static final String PASSWORD = "correct horse battery";
  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

  private Journey() {}

  public static void main(String[] arguments) {
    if (arguments.length != 2) {
      System.err.println("give the host and port of the public listener, and an e-mail");
      return;
    }
    ManagedChannel channel =
        Grpc.newChannelBuilder(arguments[0], InsecureChannelCredentials.create()).build();
    try {
      String owner = register(channel, arguments[1]);
      String token = logIn(channel, arguments[1]);
      check(channel, token, owner);
      System.out.println("the journey is complete");
    } finally {
      channel.shutdownNow();
    }
  }

  /** Makes an account by the typed service, and gives the identity's id. */
  private static String register(Channel channel, String email) {
    var registration = RegistrationServiceGrpc.newBlockingStub(channel);
    var begun =
        registration.createRegistrationFlow(
            CreateRegistrationFlowRequest.newBuilder()
                .setClient(ClientKind.CLIENT_KIND_NATIVE)
                .build());
    SubmitRegistrationFlowResponse answer =
        registration.submitRegistrationFlow(
            SubmitRegistrationFlowRequest.newBuilder()
                .setFlowId(begun.getFlow().getId())
                .setTraits(Struct.newBuilder().putFields("email", Values.of(email)))
                .setPassword(RegistrationPasswordStep.newBuilder().setPassword(PASSWORD))
                .build());
    if (!answer.hasCompleted()) {
      throw new IllegalStateException("the registration was " + answer.getOutcomeCase());
    }
    return answer.getCompleted().getSignedIn().getIdentity().getId();
  }

  /** Signs in, first with a wrong password, then by sending the form that is to be drawn now. */
  private static String logIn(Channel channel, String email) {
    var login = LoginServiceGrpc.newBlockingStub(channel);
    var begun =
        login.createLoginFlow(
            CreateLoginFlowRequest.newBuilder().setClient(ClientKind.CLIENT_KIND_NATIVE).build());
    SubmitLoginFlowResponse tried =
        login.submitLoginFlow(
            SubmitLoginFlowRequest.newBuilder()
                .setFlowId(begun.getFlow().getId())
                .setIdentifier(email)
                .setPassword(LoginPasswordStep.newBuilder().setPassword("wrong horse"))
                .build());
    switch (tried.getRejected().getReason()) {
      case REJECTION_REASON_CREDENTIALS_INVALID -> {}
      default -> throw new IllegalStateException("the login was " + tried.getOutcomeCase());
    }

    SubmitFormResponse answer =
        FlowServiceGrpc.newBlockingStub(channel)
            .submitForm(
                SubmitFormRequest.newBuilder()
                    // What to draw now, after any outcome.
                    .setFlowId(tried.getFlow().getId())
                    .setStep("password")
                    .putValues("identifier", Values.of(email))
                    .putValues("password.password", Values.of(PASSWORD))
                    .build());
    if (!answer.hasCompleted()) {
      throw new IllegalStateException("the login was " + answer.getOutcomeCase());
    }
    return answer.getCompleted().getSignedIn().getSessionToken();
  }

  /** Looks at the session as a service does that was sent its token, and at what is refused. */
  private static void check(Channel channel, String token, String owner) {
    var sessions = SessionServiceGrpc.newBlockingStub(channel);
    CheckSessionResponse checked =
        sessions.checkSession(
            CheckSessionRequest.newBuilder()
                .setToken(token)
                .addDemands(atLeast(AssuranceLevel.ASSURANCE_LEVEL_AAL1))
                .addDemands(
                    Demand.newBuilder()
                        .setFreshness(
                            Freshness.newBuilder()
                                .setFreshnessClass(FreshnessClass.FRESHNESS_CLASS_PRIVILEGED)))
                .setView(SessionView.SESSION_VIEW_FULL)
                .build());
    require(checked.getIdentity().getId().equals(owner), "the session is of somebody else");

    var bearer = new Metadata();
    bearer.put(AUTHORIZATION, "Bearer " + token);
    var current =
        sessions
            .withInterceptors(MetadataUtils.newAttachHeadersInterceptor(bearer))
            .getCurrentSession(GetCurrentSessionRequest.getDefaultInstance());
    require(current.getSession().getId().equals(checked.getSession().getId()), "two sessions");

    try {
      sessions.checkSession(
          CheckSessionRequest.newBuilder()
              .setToken(token)
              .addDemands(atLeast(AssuranceLevel.ASSURANCE_LEVEL_AAL2))
              .build());
      throw new IllegalStateException("one factor was taken for two");
    } catch (StatusRuntimeException refused) {
      ErrorReason reason = Errors.reasonOf(refused);
      switch (reason) {
        case ERROR_REASON_SESSION_ASSURANCE_TOO_LOW -> {}
        default -> throw refused;
      }
      var message = Errors.userMessageOf(refused).orElseThrow();
      require(message.getId() == 9_000_517 && !message.getText().isEmpty(), message.toString());
    }
  }

  private static Demand.Builder atLeast(AssuranceLevel level) {
    return Demand.newBuilder().setAssuranceLevel(level);
  }

  private static void require(boolean holds, String otherwise) {
    if (!holds) {
      throw new IllegalStateException(otherwise);
    }
  }
}
