package io.lakekey;

import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * Everything that lakekey throws: what went wrong, where it came from and what to do about it.
 *
 * <p>There is a class for each family of codes. {@link #code()} and {@link #slug()} never change their meaning; messages may.
 * No message holds a secret. A code that is newer than its family's classes comes as a plain {@code LakekeyException}.
 */
public class LakekeyException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** The stable number. */
    private final int code;

    /** The stable name. */
    private final String slug;

    /** What to do about it, or null. */
    private final String hint;

    /** The status of the HTTP answer, or -1. */
    private final int httpStatus;

    /** The server's id of the request, or null. */
    private final String requestId;

    /** Whether the same call may succeed later. */
    private final boolean retryable;

    /** The messages of the causes. */
    private final List<String> causes;

    /** What happened before it. */
    private final List<String> events;

    /** What it means for a login, or null. Not of a copy that was serialized. */
    private final transient Explanation explanation;

    /** The service's own code, or null. */
    private final String apiCode;

    /** The service's details as JSON, or null. */
    private final String details;

    private LakekeyException(Failure failure, Throwable cause) {
        super(failure.hint() == null ? failure.message() : failure.message() + ". " + failure.hint());
        if (cause != null) {
            initCause(cause);
        }
        code = failure.code();
        slug = failure.slug();
        hint = failure.hint();
        httpStatus = failure.httpStatus();
        requestId = failure.requestId();
        retryable = failure.retryable();
        causes = List.of(failure.causes());
        events = List.of(failure.events());
        explanation = failure.explanation();
        apiCode = failure.apiCode();
        details = failure.details();
    }

    /** {@return the stable number; its hundreds name the family} */
    public final int code() {
        return code;
    }

    /** {@return the stable name, such as {@code AUTH_DENIED}} */
    public final String slug() {
        return slug;
    }

    /** {@return what you can do about it; the message says it as well} */
    public final Optional<String> hint() {
        return Optional.ofNullable(hint);
    }

    /** {@return the status of the workspace's HTTP answer, if one came} */
    public final OptionalInt httpStatus() {
        return httpStatus < 0 ? OptionalInt.empty() : OptionalInt.of(httpStatus);
    }

    /** {@return the workspace's id of the request, for a support case} */
    public final Optional<String> requestId() {
        return Optional.ofNullable(requestId);
    }

    /** {@return whether the same call may succeed later with nothing changed} */
    public final boolean retryable() {
        return retryable;
    }

    /** {@return the messages of the causes, outermost first} */
    public final List<String> causes() {
        return causes;
    }

    /** {@return what happened in this process before it, oldest first, each with its time; no secrets} */
    public final List<String> events() {
        return events;
    }

    /** {@return what it means for a login, if it is about one; {@link Explanation#of} says it of any error} */
    public final Optional<Explanation> explanation() {
        return Optional.ofNullable(explanation);
    }

    /** {@return the service's own code, such as {@code ALREADY_EXISTS}, of a refused call or a failed operation} */
    public final Optional<String> apiCode() {
        return Optional.ofNullable(apiCode);
    }

    /** {@return what the service said besides: a JSON array of objects with their type in {@code @type}} */
    public final Optional<String> details() {
        return Optional.ofNullable(details);
    }

    static LakekeyException of(Failure failure, Throwable cause) {
        return switch (failure.code()) {
            case Failure.TIMEOUT -> new Timeout(failure, cause);
            case Failure.CANCELLED -> new Cancelled(failure, cause);
            case 1903, 1904 -> new Closed(failure, cause);
            case 1990, 1991 -> new Internal(failure, cause);
            default -> switch (failure.code() / 100) {
                case 10 -> new Config(failure, cause);
                case 11 -> new Auth(failure, cause);
                case 12 -> new Target(failure, cause);
                case 13 -> new Transport(failure, cause);
                case 14 -> new Api(failure, cause);
                case 15 -> new Minting(failure, cause);
                case 16 -> new Conninfo(failure, cause);
                case 17 -> new Resolve(failure, cause);
                case 18 -> new Login(failure, cause);
                default -> new LakekeyException(failure, cause);
            };
        };
    }

    /** The configuration is incomplete, contradictory or wrong. */
    public static final class Config extends LakekeyException {
        private static final long serialVersionUID = 1L;

        private Config(Failure failure, Throwable cause) {
            super(failure, cause);
        }
    }

    /** The workspace does not accept the identity, or there is none. */
    public static final class Auth extends LakekeyException {
        private static final long serialVersionUID = 1L;

        private Auth(Failure failure, Throwable cause) {
            super(failure, cause);
        }
    }

    /** The database is not named, not found, or not ready. */
    public static final class Target extends LakekeyException {
        private static final long serialVersionUID = 1L;

        private Target(Failure failure, Throwable cause) {
            super(failure, cause);
        }
    }

    /** The workspace could not be reached, or gave no usable answer. */
    public static final class Transport extends LakekeyException {
        private static final long serialVersionUID = 1L;

        private Transport(Failure failure, Throwable cause) {
            super(failure, cause);
        }
    }

    /** The workspace refused the request. */
    public static final class Api extends LakekeyException {
        private static final long serialVersionUID = 1L;

        private Api(Failure failure, Throwable cause) {
            super(failure, cause);
        }
    }

    /** No usable database credential. */
    public static final class Minting extends LakekeyException {
        private static final long serialVersionUID = 1L;

        private Minting(Failure failure, Throwable cause) {
            super(failure, cause);
        }
    }

    /** A connection string or parameter is wrong. */
    public static final class Conninfo extends LakekeyException {
        private static final long serialVersionUID = 1L;

        private Conninfo(Failure failure, Throwable cause) {
            super(failure, cause);
        }
    }

    /** The database's host name has no address. */
    public static final class Resolve extends LakekeyException {
        private static final long serialVersionUID = 1L;

        private Resolve(Failure failure, Throwable cause) {
            super(failure, cause);
        }
    }

    /** Postgres refused the login; the cause is the driver's own exception. */
    public static final class Login extends LakekeyException {
        private static final long serialVersionUID = 1L;

        private Login(Failure failure, Throwable cause) {
            super(failure, cause);
        }
    }

    /** The call's own time limit passed. */
    public static final class Timeout extends LakekeyException {
        private static final long serialVersionUID = 1L;

        private Timeout(Failure failure, Throwable cause) {
            super(failure, cause);
        }
    }

    /** The call was cancelled, or the thread that waited was interrupted. */
    public static final class Cancelled extends LakekeyException {
        private static final long serialVersionUID = 1L;

        private Cancelled(Failure failure, Throwable cause) {
            super(failure, cause);
        }
    }

    /** The client was closed. */
    public static final class Closed extends LakekeyException {
        private static final long serialVersionUID = 1L;

        private Closed(Failure failure, Throwable cause) {
            super(failure, cause);
        }
    }

    /** A defect of lakekey. */
    public static final class Internal extends LakekeyException {
        private static final long serialVersionUID = 1L;

        private Internal(Failure failure, Throwable cause) {
            super(failure, cause);
        }
    }
}
