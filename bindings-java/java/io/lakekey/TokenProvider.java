package io.lakekey;

import java.time.Instant;
import java.util.Objects;

/**
 * Your own source of workspace tokens, such as a client of the Databricks SDK or a token that a gateway forwards.
 *
 * <p>It is called on a thread of its own, from which it may block for up to 30 seconds and may call lakekey. What it throws
 * becomes the cause of the {@link LakekeyException} with the slug {@code AUTH_CALLBACK}. A client holds its provider; when
 * nobody holds the client any more, the provider is not asked again.
 */
@FunctionalInterface
public interface TokenProvider {
    /**
     * {@return a workspace token that is valid now}
     *
     * @throws Exception when there is none
     */
    String token() throws Exception;

    /** The same, for a source that knows when its tokens end. */
    @FunctionalInterface
    interface Expiring {
        /**
         * {@return a workspace token that is valid now, with its end}
         *
         * @throws Exception when there is none
         */
        Token token() throws Exception;
    }

    /**
     * A workspace token and its end.
     *
     * @param token the token
     * @param expiresAt its end; it is asked for anew before
     */
    record Token(String token, Instant expiresAt) {
        /**
         * Checks that both are there.
         *
         * @param token the token
         * @param expiresAt its end
         */
        public Token {
            Objects.requireNonNull(token, "token");
            Objects.requireNonNull(expiresAt, "expiresAt");
        }

        /** {@return a text without the token} */
        @Override
        public String toString() {
            return "Token[expiresAt=" + expiresAt + "]";
        }
    }
}
