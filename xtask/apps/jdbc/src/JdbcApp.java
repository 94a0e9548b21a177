import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import io.lakekey.ConnectRequest;
import io.lakekey.LakekeyClient;
import io.lakekey.LakekeyException;
import io.lakekey.jdbc.LakekeyDataSource;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import javax.sql.DataSource;

/**
 * The app that demo and soak watch: threads that share one HikariCP pool over a {@code LakekeyDataSource}.
 *
 * <p>It is an ordinary app but for two things: its connections are let go after a moment, so that many logins happen, and it tells
 * every half second how it goes, one JSON object a line, and each failure when it happens. Commands come on stdin: {@code pause}
 * (let every connection go, and wait for the next token), {@code resume}, {@code stop}. With {@code APP_ROWS} in the environment
 * it writes its numbers as rows under that name instead of asking for them back: each number once, whatever becomes of it, so that
 * afterwards the table can be compared with what the app was told.
 */
public final class JdbcApp {
    private static final String ROWS = System.getenv("APP_ROWS");
    private static final String STATEMENT = ROWS == null
            ? "select ?::int, current_user"
            : "insert into soak.row (app, number) values ('" + ROWS + "', ?) returning number, current_user";
    private static final int THREADS = ROWS == null ? 6 : 3;
    private static final long REST_MS = ROWS == null ? 10 : 30;
    private static final long RECYCLE_MS = 800;

    private final LakekeyClient client = LakekeyClient.create();
    private final Set<Integer> tokens = ConcurrentHashMap.newKeySet();
    private final AtomicLong attempts = new AtomicLong();
    private final AtomicLong logins = new AtomicLong();
    private final AtomicLong failedLogins = new AtomicLong();
    private final AtomicLong queries = new AtomicLong();
    private final AtomicLong failedQueries = new AtomicLong();
    private final HikariDataSource pool;
    private volatile boolean running = true;
    private volatile boolean ended;

    private JdbcApp() {
        HikariConfig config = new HikariConfig();
        config.setDataSource(counted(LakekeyDataSource.forTarget(client, ConnectRequest.usual())));
        config.setMaximumPoolSize(THREADS);
        config.setMinimumIdle(0);
        // Longer than the budget of a connect, so that its own error is the one that is seen.
        config.setConnectionTimeout(45_000);
        pool = new HikariDataSource(config);
    }

    /** The same data source, which counts its logins. */
    private DataSource counted(DataSource source) {
        return (DataSource) java.lang.reflect.Proxy.newProxyInstance(
                JdbcApp.class.getClassLoader(), new Class<?>[] {DataSource.class}, (proxy, method, arguments) -> {
                    boolean login = method.getName().equals("getConnection");
                    try {
                        Object result = method.invoke(source, arguments);
                        if (login) {
                            logins.incrementAndGet();
                            saw(client.token());
                        }
                        return result;
                    } catch (java.lang.reflect.InvocationTargetException problem) {
                        if (login) {
                            failedLogins.incrementAndGet();
                        }
                        throw problem.getCause();
                    }
                });
    }

    private void saw(String token) {
        tokens.add(token.hashCode());
    }

    private void work() {
        while (!ended) {
            if (!running) {
                sleep(20);
                continue;
            }
            long number = attempts.incrementAndGet();
            long began = System.nanoTime();
            boolean login = true;
            try (Connection connection = pool.getConnection()) {
                login = false;
                try (PreparedStatement query = connection.prepareStatement(STATEMENT)) {
                    query.setLong(1, number);
                    try (ResultSet rows = query.executeQuery()) {
                        if (!rows.next() || rows.getLong(1) != number) {
                            throw new SQLException("another answer than " + number);
                        }
                    }
                }
                queries.incrementAndGet();
            } catch (SQLException | LakekeyException problem) {
                failedQueries.incrementAndGet();
                say("{\"failure\": " + quoted(problem.toString()) + ", \"number\": " + number + ", \"login\": " + login
                        + ", \"waited_s\": " + (System.nanoTime() - began) / 1e9 + "}");
            }
            sleep(REST_MS);
        }
    }

    private void tell() {
        long evicted = System.nanoTime();
        while (!ended) {
            sleep(100);
            if (System.nanoTime() - evicted > RECYCLE_MS * 1_000_000) {
                // HikariCP recycles connections after half a minute at the earliest.
                pool.getHikariPoolMXBean().softEvictConnections();
                evicted = System.nanoTime();
                say("{" + figures() + "}");
            }
        }
    }

    /**
     * Waits for the next token. Right after a rotation none is due, so that a quiet app leaves no token behind that nobody saw, and
     * what the emulator minted and what this app saw can be compared.
     */
    private void settle() {
        String last = client.token();
        saw(last);
        long deadline = System.nanoTime() + 60_000_000_000L;
        String token = last;
        while ((token = client.token()).equals(last)) {
            if (System.nanoTime() > deadline) {
                throw new IllegalStateException("the token did not rotate within a minute");
            }
            sleep(20);
        }
        saw(token);
    }

    private String figures() {
        return "\"attempts\": " + attempts + ", \"logins\": " + logins + ", \"failed_logins\": " + failedLogins + ", \"queries\": " + queries
                + ", \"failed_queries\": " + failedQueries + ", \"tokens\": " + tokens.size() + ", \"connections\": "
                + pool.getHikariPoolMXBean().getTotalConnections();
    }

    private static String quoted(String text) {
        return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n").replace("\t", " ").replace("\r", "") + '"';
    }

    private static synchronized void say(String line) {
        System.out.println(line);
        System.out.flush();
    }

    private static void sleep(long ms) {
        try {
            Thread.sleep(ms);
        } catch (InterruptedException interrupt) {
            Thread.currentThread().interrupt();
        }
    }

    public static void main(String[] arguments) throws Exception {
        JdbcApp app = new JdbcApp();
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < THREADS; i++) {
            threads.add(new Thread(app::work, "worker-" + i));
        }
        threads.add(new Thread(app::tell, "teller"));
        threads.forEach(Thread::start);
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = commands.readLine(); line != null && !line.equals("stop"); line = commands.readLine()) {
            if (line.equals("pause")) {
                app.running = false;
                app.settle();
            } else if (line.equals("resume")) {
                app.running = true;
            }
        }
        app.running = false;
        app.ended = true;
        for (Thread thread : threads) {
            thread.join();
        }
        String figures = app.figures();
        app.pool.close();
        app.client.close();
        // HikariCP's manifest does not name its version.
        var hikari = new java.util.Properties();
        try (var file = HikariDataSource.class.getResourceAsStream("/META-INF/maven/com.zaxxer/HikariCP/pom.properties")) {
            hikari.load(file);
        }
        String driver = "pgjdbc " + org.postgresql.util.DriverInfo.DRIVER_VERSION + " with HikariCP "
                + hikari.getProperty("version");
        say("{\"done\": true, \"driver\": " + quoted(driver) + ", " + figures + "}");
    }
}
