package example.journey;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.rpc.ErrorInfo;
import com.google.rpc.Status;
import example.ostiary.error.v1.ErrorReason;
import example.ostiary.error.v1.UserMessage;
import io.grpc.protobuf.StatusProto;
import java.util.Optional;

/** Reads what an error of Ostiary carries beside its code. Copy it. */
final class Errors {
  private Errors() {}

  /** Why a call was refused. Unspecified if the error is not Ostiary's, or newer than the stubs. */
  static ErrorReason reasonOf(Throwable error) {
    return detailOf(error, ErrorInfo.class)
        .filter(info -> info.getDomain().equals("ostiary"))
        .map(info -> ErrorReason.getDescriptor().findValueByName("ERROR_REASON_" + info.getReason()))
        .map(ErrorReason::valueOf)
        .orElse(ErrorReason.ERROR_REASON_UNSPECIFIED);
  }

  /** What to tell the person who uses the client. Empty where only a developer can help. */
  static Optional<UserMessage> userMessageOf(Throwable error) {
    return detailOf(error, UserMessage.class);
  }

  private static <T extends Message> Optional<T> detailOf(Throwable error, Class<T> type) {
    Status status = StatusProto.fromThrowable(error);
    if (status == null) {
      return Optional.empty();
    }
    for (Any detail : status.getDetailsList()) {
      if (detail.is(type)) {
        try {
          return Optional.of(detail.unpack(type));
        } catch (InvalidProtocolBufferException malformed) {
          return Optional.empty();
        }
      }
    }
    return Optional.empty();
  }
}
