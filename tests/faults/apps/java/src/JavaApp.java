import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import io.lakekey.ConnectRequest;
import io.lakekey.LakekeyClient;
import io.lakekey.LakekeyException;
import io.lakekey.jdbc.LakekeyDataSource;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.Collections;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** The app in Java: a HikariCP pool of one connection over a {@code LakekeyDataSource}. */
public final class JavaApp {
    private LakekeyClient client;
    private HikariDataSource pool;

    private String connect(String endpoint, String ttl, String budget, String user) throws SQLException {
        client = LakekeyClient.create();
        ConnectRequest request = ConnectRequest.of(endpoint).withTtl(Duration.ofSeconds(Long.parseLong(ttl)));
        LakekeyDataSource source =
                LakekeyDataSource.forTarget(client, user.isEmpty() ? request : request.withUser(user));
        HikariConfig config = new HikariConfig();
        config.setDataSource(source);
        config.setMaximumPoolSize(1);
        config.setConnectionTimeout(1000 * Long.parseLong(budget));
        // The pool's own limit, which it gives to the data source, stands by at the first connection alone.
        pool = new HikariDataSource(config);
        return query("select 1");
    }

    private String storm(String endpoint, String ttl, String budget, int count) throws SQLException {
        client = LakekeyClient.create();
        ConnectRequest request = ConnectRequest.of(endpoint).withTtl(Duration.ofSeconds(Long.parseLong(ttl)));
        LakekeyDataSource source = LakekeyDataSource.forTarget(client, request);
        source.setLoginTimeout(Integer.parseInt(budget));
        ExecutorService threads = Executors.newFixedThreadPool(count);
        try {
            Callable<Boolean> one = () -> {
                try (Connection connection = source.getConnection();
                        Statement statement = connection.createStatement()) {
                    return statement.execute("select 1");
                }
            };
            int done = 0;
            for (Future<Boolean> login : threads.invokeAll(Collections.nCopies(count, one))) {
                done += login.get() ? 1 : 0;
            }
            return String.valueOf(done);
        } catch (InterruptedException problem) {
            throw new IllegalStateException(problem);
        } catch (ExecutionException problem) {
            throw new SQLException(problem.getCause());
        } finally {
            threads.shutdown();
        }
    }

    private String query(String sql) throws SQLException {
        try (Connection connection = pool.getConnection();
                Statement statement = connection.createStatement()) {
            if (!statement.execute(sql)) {
                return "";
            }
            try (ResultSet rows = statement.getResultSet()) {
                return rows.next() ? rows.getString(1) : "";
            }
        }
    }

    private String close() {
        if (pool != null) {
            pool.close();
        }
        if (client != null) {
            client.close();
        }
        pool = null;
        client = null;
        return "";
    }

    private String obey(String[] fields) throws SQLException {
        return switch (fields[0]) {
            case "connect" -> connect(fields[1], fields[2], fields[3], fields[4]);
            case "storm" -> storm(fields[1], fields[2], fields[3], Integer.parseInt(fields[4]));
            case "query" -> query(fields[1]);
            case "close" -> close();
            default -> throw new IllegalArgumentException(fields[0] + " is no command");
        };
    }

    /** What lakekey or the driver said, and all the causes. */
    private static String told(Throwable problem) {
        String code = "";
        String hint = "";
        StringBuilder text = new StringBuilder();
        for (Throwable one = problem; one != null; one = one.getCause()) {
            text.append(one).append(' ');
            if (one instanceof LakekeyException ours && hint.isEmpty()) {
                code = ours.slug();
                hint = ours.hint().orElse("");
            } else if (one instanceof SQLException sql && code.isEmpty() && sql.getSQLState() != null) {
                code = sql.getSQLState();
            }
        }
        return String.join("\t", "failed", "", plain(code), plain(hint), plain(text.toString()));
    }

    private static String plain(String text) {
        return text.replaceAll("\\s+", " ");
    }

    /** Obeys line by line. */
    public static void main(String[] arguments) throws IOException {
        JavaApp app = new JavaApp();
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null && !line.equals("end"); line = lines.readLine()) {
            String said;
            try {
                said = "ok\t" + app.obey(line.split("\t", -1));
            } catch (SQLException | RuntimeException problem) {
                said = told(problem);
            }
            System.out.println(said);
        }
        System.exit(0);
    }
}
