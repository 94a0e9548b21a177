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
