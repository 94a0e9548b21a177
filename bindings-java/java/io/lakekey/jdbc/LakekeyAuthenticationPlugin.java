package io.lakekey.jdbc;

import io.lakekey.LakekeyException;
import java.sql.SQLException;
import java.util.Properties;
import org.postgresql.plugin.AuthenticationPlugin;
import org.postgresql.plugin.AuthenticationRequestType;
import org.postgresql.util.PSQLException;
import org.postgresql.util.PSQLState;

/**
 * pgjdbc's {@code authenticationPluginClassName}: a current credential as the password of each login.
 *
 * <p>It wants {@code sslmode} to be given, {@code verify-full} best: pgjdbc's default would hand the token to whoever answers.
 *
 * <p>For programs that can be given a plain {@code jdbc:postgresql:} URL and nothing else. It is configured by the connection's own
 * properties, {@code lakekey.target} first. pgjdbc never tells it that a token was refused, so it cannot answer that with a fresh
 * one: {@link LakekeyDataSource} and {@code jdbc:lakekey:} can.
 */
public final class LakekeyAuthenticationPlugin implements AuthenticationPlugin {
    private final Properties properties;

    /**
     * Called by pgjdbc, for each login.
     *
     * @param properties the connection's
     */
    public LakekeyAuthenticationPlugin(Properties properties) {
        this.properties = properties;
    }

    @Override
    public char[] getPassword(AuthenticationRequestType type) throws PSQLException {
        try {
            String ssl = properties.getProperty("ssl");
            if (properties.getProperty("sslmode") == null && (ssl == null || ssl.equalsIgnoreCase("false"))) {
                throw Failures.misuse("pgjdbc does not verify the server unless it is told to, and this server asks for a token:"
                        + " add sslmode=verify-full to the URL, with sslrootcert or"
                        + " sslfactory=org.postgresql.ssl.DefaultJavaSSLFactory");
            }
            Settings settings = Settings.of(properties);
            // The array is the driver's, which wipes it.
            return settings.client().token(settings.request()).toCharArray();
        } catch (LakekeyException problem) {
            PSQLState state = problem.retryable() ? PSQLState.CONNECTION_UNABLE_TO_CONNECT : PSQLState.INVALID_PASSWORD;
            throw new PSQLException(problem.getMessage(), state, problem);
        } catch (SQLException misuse) {
            throw new PSQLException(misuse.getMessage(), PSQLState.INVALID_PARAMETER_VALUE, misuse);
        }
    }
}
