package io.lakekey.jdbc;

import io.lakekey.ConnectRequest;
import io.lakekey.Emulator;
import io.lakekey.LakekeyClient;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Map;

/** How tests reach the emulator's Postgres. */
final class Server {
    static final String TARGET = "projects/shop/branches/production";
    static final String USER = "user@emulator.test";

    private Server() {}

    static int port(Emulator emulator) {
        return Integer.parseInt(emulator.env().get("PGPORT"));
    }

    static String ca(Emulator emulator) {
        return emulator.env().get("PGSSLROOTCERT");
    }

    static ConnectRequest request(Emulator emulator) {
        return ConnectRequest.of(TARGET).withPort(port(emulator)).withSslrootcert(ca(emulator));
    }

    /** A data source of an identity of its own, so that nobody else's credential is used. */
    static LakekeyDataSource source(Emulator emulator) {
        return LakekeyDataSource.forTarget(
                LakekeyClient.create(emulator.stranger().build()), request(emulator));
    }

    /** Properties for a URL. */
    static String properties(Emulator emulator, Map<String, String> more) {
        StringBuilder text = new StringBuilder("?lakekey.host=" + encoded(emulator.env().get("DATABRICKS_HOST"))
                + "&lakekey.token=dapi-emulator&port=" + port(emulator) + "&sslrootcert=" + encoded(ca(emulator)));
        more.forEach((name, value) -> text.append('&').append(name).append('=').append(encoded(value)));
        return text.toString();
    }

    static String encoded(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8);
    }

    /** The first column of the first row. */
    static String ask(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery(sql)) {
            rows.next();
            return rows.getString(1);
        }
    }
}
