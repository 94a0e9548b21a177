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
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicLong;
import javax.sql.DataSource;

/**
 * The app that the demo watches: threads that share one HikariCP pool over a {@code LakekeyDataSource}.
 *
 * <p>It is an ordinary app but for two things: its connections are let go after a moment, so that many logins happen, and it tells
 * every half second how it goes, one JSON object a line. Commands come on stdin: {@code pause} (and let every connection go),
 * {@code resume}, {@code stop}.
 */
public final class JdbcApp {
    private static final int THREADS = 6;
    private static final long RECYCLE_MS = 800;

    private final LakekeyClient client = LakekeyClient.create();
    private final Set<Integer> tokens = ConcurrentHashMap.newKeySet();
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
        config.setConnectionTimeout(10_000);
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
            int number = ThreadLocalRandom.current().nextInt(1_000_000);
            try (Connection connection = pool.getConnection();
                    PreparedStatement query = connection.prepareStatement("select ?::int, current_user")) {
                query.setInt(1, number);
                try (ResultSet rows = query.executeQuery()) {
                    if (!rows.next() || rows.getInt(1) != number) {
                        throw new SQLException("another answer than " + number);
                    }
                }
                queries.incrementAndGet();
            } catch (SQLException | LakekeyException problem) {
                failedQueries.incrementAndGet();
                say("{\"failure\": " + quoted(problem.toString()) + "}");
            }
            sleep(10);
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
        return "\"logins\": " + logins + ", \"failed_logins\": " + failedLogins + ", \"queries\": " + queries
                + ", \"failed_queries\": " + failedQueries + ", \"tokens\": " + tokens.size() + ", \"connections\": "
                + pool.getHikariPoolMXBean().getTotalConnections();
    }

    private static String quoted(String text) {
        return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n") + '"';
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
        app.settle();
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
