package io.lakekey;

import java.lang.ref.Reference;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;

/**
 * One connect, step by step, for a driver that dials for itself. The driver's adapter is a loop that decides nothing:
 *
 * <pre>{@code
 * try (ConnectPlan plan = client.plan(request, null)) {
 *     ConnectPlan.Attempt attempt = plan.next();
 *     while (true) {
 *         try {
 *             Connection connection = dial(attempt);
 *             plan.connected();
 *             return connection;
 *         } catch (SQLException failure) {
 *             attempt = plan.next(failure);
 *         }
 *     }
 * }
 * }</pre>
 *
 * <p>Waiting between tries, one fresh token for a refused one, another address and a new look-up happen inside of {@code next}. For
 * one thread at a time.
 */
public final class ConnectPlan implements AutoCloseable {
    private final long number;

    /** Not to be closed as forgotten while its connect is under way. */
    private final LakekeyClient client;

    ConnectPlan(long number, LakekeyClient client) {
        this.number = number;
        this.client = client;
    }

    /**
     * {@return the first attempt}
     *
     * @throws LakekeyException when what a login needs cannot be had
     */
    public Attempt next() {
        return next(null, null);
    }

    /**
     * {@return the next attempt, after one that failed}
     *
     * @param failure what the driver threw
     * @throws LakekeyException when another try is not worth it or the budget is over; it is the one to show
     */
    public Attempt next(SQLException failure) {
        return next(failure.getSQLState(), said(failure));
    }

    private Attempt next(String code, String text) {
        try {
            return Answer.<Attempt>await(answer -> Native.next(number, code, text, answer));
        } finally {
            Reference.reachabilityFence(client);
        }
    }

    /** Tells that the last attempt succeeded. */
    public void connected() {
        Native.connected(number);
    }

    /** Ends it. Harmless when repeated. */
    @Override
    public void close() {
        Native.endPlan(number);
    }

    /** The texts of the exception and of its causes: a driver says "The connection attempt failed." and the cause says why. */
    static String said(SQLException failure) {
        StringBuilder text = new StringBuilder();
        Throwable next = failure;
        for (int depth = 0; next != null && depth < 8; depth++, next = next.getCause()) {
            String message = next instanceof SQLException ? next.getMessage() : next.toString();
            if (message != null && text.indexOf(message) < 0) {
                text.append(text.isEmpty() ? "" : ": ").append(message);
            }
        }
        return text.toString();
    }

    /**
     * One dial and login.
     *
     * @param keywords libpq's keywords and values for this one address, without the password
     * @param host the name that the server's certificate must have
     * @param address the IP address to dial; empty where the name has to do
     * @param port the port
     * @param user the role to log in as
     * @param password the credential; never log it
     * @param subject the identity in the credential, if it names one
     * @param cached whether the credential was there already
     * @param timeout how long dial and login may take together
     * @param number 1 for the first attempt of this connect
     */
    public record Attempt(
            Map<String, String> keywords,
            String host,
            Optional<String> address,
            int port,
            String user,
            String password,
            Optional<String> subject,
            boolean cached,
            Duration timeout,
            int number) {

        /** {@return a text without the password} */
        @Override
        public String toString() {
            return "Attempt[" + number + ", " + keywords + "]";
        }
    }
}
