package io.lakekey.jdbc;

import io.lakekey.LakekeyException;
import java.sql.SQLException;
import java.sql.SQLInvalidAuthorizationSpecException;
import java.sql.SQLNonTransientConnectionException;
import java.sql.SQLTimeoutException;
import java.sql.SQLTransientConnectionException;

/** lakekey's exceptions as JDBC's: the class says whether another try may help, the cause is lakekey's own. */
final class Failures {
    /** SQLSTATE: the connection could not be made. */
    private static final String CANNOT_CONNECT = "08001";

    /** SQLSTATE: invalid authorization. */
    private static final String NOT_AUTHORIZED = "28000";

    private Failures() {}

    /** {@code last} is what the driver said at the last attempt, null where it was not asked. */
    static SQLException of(LakekeyException problem, SQLException last) {
        String said = last == null ? null : last.getSQLState();
        boolean ofIdentity = problem instanceof LakekeyException.Auth;
        String state = said != null ? said : ofIdentity ? NOT_AUTHORIZED : CANNOT_CONNECT;
        String text = problem.getMessage();
        SQLException sql;
        if (problem instanceof LakekeyException.Timeout) {
            sql = new SQLTimeoutException(text, state, problem.code(), problem);
        } else if (problem.retryable()) {
            sql = new SQLTransientConnectionException(text, state, problem.code(), problem);
        } else if (state.startsWith("28")) {
            sql = new SQLInvalidAuthorizationSpecException(text, state, problem.code(), problem);
        } else {
            sql = new SQLNonTransientConnectionException(text, state, problem.code(), problem);
        }
        if (last != null && problem.getCause() == null) {
            problem.initCause(last);
        }
        return sql;
    }

    /** Something that was given cannot be used. */
    static SQLException misuse(String problem) {
        return new SQLNonTransientConnectionException(problem, CANNOT_CONNECT);
    }
}
