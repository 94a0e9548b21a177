package notes;

import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import io.lakekey.jdbc.LakekeyDataSource;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.List;

/**
 * Notes in Lakebase, from the command line: a pool, a migration, a few queries, a clean end.
 *
 * <p>Nothing here knows of tokens. Where the database is and who you are comes from the environment.
 */
public final class Notes {
    private static final List<String> MIGRATIONS = List.of(
            "CREATE TABLE notes.note (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
                    + " text text NOT NULL CHECK (text <> ''), written timestamptz NOT NULL DEFAULT now())",
            "ALTER TABLE notes.note ADD COLUMN done timestamptz",
            "CREATE INDEX note_open ON notes.note (written) WHERE done IS NULL");

    private Notes() {}

    public static void main(String[] given) {
        try (HikariDataSource pool = pool()) {
            String said = run(pool, given);
            System.out.print(said);
        } catch (SQLException problem) {
            // lakekey's text says what to do about it.
            System.err.println(problem.getMessage());
            System.exit(1);
        }
    }

    static HikariDataSource pool() {
        HikariConfig config = new HikariConfig();
        config.setDataSource(new LakekeyDataSource());
        config.setMaximumPoolSize(4);
        config.setMaxLifetime(Duration.ofMinutes(45).toMillis());
        // The pool opens at the first use, so that a refused login is that use's own exception.
        config.setInitializationFailTimeout(-1);
        return new HikariDataSource(config);
    }

    static String run(HikariDataSource pool, String... given) throws SQLException {
        try (Connection connection = pool.getConnection()) {
            return switch (given.length == 0 ? "" : given[0]) {
                case "migrate" -> migrate(connection);
                case "add" -> add(connection, given[1]);
                case "list" -> list(connection);
                case "done" -> done(connection, Long.parseLong(given[1]));
                default -> "usage: notes migrate | add TEXT | list | done ID\n";
            };
        }
    }

    /** Brings the schema up to date; safe to run at every deployment, also twice at once. */
    private static String migrate(Connection connection) throws SQLException {
        StringBuilder said = new StringBuilder();
        connection.setAutoCommit(false);
        try (Statement statement = connection.createStatement()) {
            // A schema of one's own: in `public` the role may not be allowed to create anything.
            statement.execute("SELECT pg_advisory_xact_lock(hashtext('notes'))");
            statement.execute("CREATE SCHEMA IF NOT EXISTS notes");
            statement.execute("CREATE TABLE IF NOT EXISTS notes.migration (number int PRIMARY KEY)");
            int reached;
            try (ResultSet rows = statement.executeQuery("SELECT coalesce(max(number), 0) FROM notes.migration")) {
                rows.next();
                reached = rows.getInt(1);
            }
            for (int number = reached + 1; number <= MIGRATIONS.size(); number++) {
                statement.execute(MIGRATIONS.get(number - 1));
                statement.execute("INSERT INTO notes.migration VALUES (" + number + ")");
                said.append("migration ").append(number).append(" done\n");
            }
            connection.commit();
        } catch (SQLException problem) {
            connection.rollback();
            throw problem;
        } finally {
            connection.setAutoCommit(true);
        }
        return said.toString();
    }

    private static String add(Connection connection, String text) throws SQLException {
        try (PreparedStatement insert =
                connection.prepareStatement("INSERT INTO notes.note (text) VALUES (?) RETURNING id")) {
            insert.setString(1, text);
            try (ResultSet rows = insert.executeQuery()) {
                rows.next();
                return "note " + rows.getLong(1) + "\n";
            }
        }
    }

    private static String list(Connection connection) throws SQLException {
        StringBuilder said = new StringBuilder();
        String open = "SELECT id, text FROM notes.note WHERE done IS NULL ORDER BY written, id";
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery(open)) {
            while (rows.next()) {
                said.append(String.format("%5d  %s%n", rows.getLong(1), rows.getString(2)));
            }
        }
        return said.toString();
    }

    private static String done(Connection connection, long id) throws SQLException {
        try (PreparedStatement update =
                connection.prepareStatement("UPDATE notes.note SET done = now() WHERE id = ? AND done IS NULL")) {
            update.setLong(1, id);
            return update.executeUpdate() == 0 ? "there is no open note " + id + "\n" : "";
        }
    }
}
