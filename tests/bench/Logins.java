import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import io.lakekey.ConnectParams;
import io.lakekey.ConnectRequest;
import io.lakekey.LakekeyClient;
import io.lakekey.jdbc.LakekeyDataSource;
import io.lakekey.jdbc.LakekeySocketFactory;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;

/** A login by a HikariCP pool, made and let go: through lakekey, and by pgjdbc with a password that it was given once. */
final class Logins {
    private static final int LOGINS = 10;

    private static double milliseconds(HikariDataSource pool) throws SQLException {
        long begun = System.nanoTime();
        for (int login = 0; login < LOGINS; login++) {
            try (Connection connection = pool.getConnection()) {
                pool.evictConnection(connection);
            }
        }
        return (System.nanoTime() - begun) / 1e6 / LOGINS;
    }

    private static HikariDataSource pool(HikariConfig config) {
        config.setMaximumPoolSize(1);
        config.setMinimumIdle(0);
        return new HikariDataSource(config);
    }

    private static HikariDataSource ours(LakekeyClient client) {
        HikariConfig config = new HikariConfig();
        config.setDataSource(LakekeyDataSource.forTarget(client, ConnectRequest.usual()));
        return pool(config);
    }

    /** The same host by the same address, as a resolver would give it. */
    private static HikariDataSource theirs(LakekeyClient client) {
        ConnectParams params = client.connectParams();
        HikariConfig config = new HikariConfig();
        config.setJdbcUrl("jdbc:postgresql://" + params.get("host").orElseThrow().split(",")[0] + ":"
                + params.get("port").orElseThrow().split(",")[0] + "/" + params.get("dbname").orElseThrow());
        config.setUsername(params.user());
        config.setPassword(params.password());
        config.addDataSourceProperty("sslmode", params.get("sslmode").orElseThrow());
        config.addDataSourceProperty("sslrootcert", params.get("sslrootcert").orElseThrow());
        config.addDataSourceProperty("socketFactory", LakekeySocketFactory.class.getName());
        config.addDataSourceProperty("lakekey.hostaddr", params.get("hostaddr").orElseThrow().split(",")[0]);
        config.addDataSourceProperty("loginTimeout", "30");
        return pool(config);
    }

    private static double median(List<Double> figures) {
        Collections.sort(figures);
        return figures.get(figures.size() / 2);
    }

    public static void main(String[] arguments) throws SQLException {
        int rounds = 2 * Integer.parseInt(System.getenv().getOrDefault("LAKEKEY_BENCH_ROUNDS", "15"));
        List<Double> ours = new ArrayList<>();
        List<Double> theirs = new ArrayList<>();
        try (LakekeyClient client = LakekeyClient.create();
                HikariDataSource mine = ours(client);
                HikariDataSource peer = theirs(client)) {
            for (int round = -4; round < rounds; round++) {
                double me = milliseconds(mine);
                double they = milliseconds(peer);
                if (round >= 0) {
                    ours.add(me);
                    theirs.add(they);
                }
            }
        }
        System.out.printf(
                Locale.ROOT,
                "{\"what\": \"a login by HikariCP\", \"unit\": \"ms\", \"ours\": %.3f, \"peer\": \"pgjdbc, static password\", "
                        + "\"theirs\": %.3f, \"target\": {\"ratio\": 1.03}}%n",
                median(ours),
                median(theirs));
    }
}
