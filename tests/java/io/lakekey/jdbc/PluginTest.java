package io.lakekey.jdbc;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.lakekey.ConnectParams;
import io.lakekey.Emulator;
import io.lakekey.LakekeyClient;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.Properties;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** pgjdbc by its own URL, with our classes named in its properties. */
@ExtendWith(Emulator.Fresh.class)
class PluginTest {
    private static Properties plugged(Emulator emulator) {
        Properties properties = new Properties();
        properties.setProperty("user", Server.USER);
        properties.setProperty("authenticationPluginClassName", LakekeyAuthenticationPlugin.class.getName());
        properties.setProperty("socketFactory", LakekeySocketFactory.class.getName());
        properties.setProperty("sslmode", "verify-full");
        properties.setProperty("sslrootcert", Server.ca(emulator));
        properties.setProperty("lakekey.target", Server.TARGET);
        properties.setProperty("lakekey.host", emulator.env().get("DATABRICKS_HOST"));
        properties.setProperty("lakekey.token", "dapi-emulator");
        // A credential of its own: the plugin cannot renew one that other tests have made the server forget.
        properties.setProperty("lakekey.ttl", "1801");
        return properties;
    }

    private static String url(Emulator emulator) {
        ConnectParams params = LakekeyClient.create(emulator.options().build()).connectParams(Server.request(emulator));
        String host = params.get("host").orElseThrow().split(",")[0];
        return "jdbc:postgresql://" + host + ":" + Server.port(emulator) + "/databricks_postgres";
    }

    @Test
    void eachLoginGetsACredentialAndDialsWhatLakekeyResolved(Emulator emulator) throws Exception {
        // The system does not know a name below localhost, so without the socket factory there is no way in.
        try (Connection connection = DriverManager.getConnection(url(emulator), plugged(emulator))) {
            assertEquals(Server.USER, Server.ask(connection, "SELECT current_user"));
        }
    }

    @Test
    void theNameIsVerifiedThoughTheAddressIsDialled(Emulator emulator) {
        String wrong = "jdbc:postgresql://db.example.com:" + Server.port(emulator) + "/databricks_postgres";
        SQLException refused =
                assertThrows(SQLException.class, () -> DriverManager.getConnection(wrong, plugged(emulator)));
        assertTrue(refused.getSQLState().startsWith("08"), refused.getSQLState() + " " + refused.getMessage());
    }

    @Test
    void theTokenIsNotHandedToWhoeverAnswers(Emulator emulator) {
        Properties properties = plugged(emulator);
        properties.remove("sslmode");
        properties.remove("sslrootcert");
        SQLException refused =
                assertThrows(SQLException.class, () -> DriverManager.getConnection(url(emulator), properties));
        assertTrue(refused.getMessage().contains("sslmode=verify-full"), refused.getMessage());
    }

    @Test
    void aFailedMintIsTheDriversException(Emulator emulator) {
        String url = url(emulator);
        Properties properties = plugged(emulator);
        properties.setProperty("lakekey.token", "dapi-wrong");
        properties.setProperty("lakekey.hostaddr", "127.0.0.1");
        SQLException refused = assertThrows(SQLException.class, () -> DriverManager.getConnection(url, properties));
        assertTrue(refused.getMessage().contains("403 PERMISSION_DENIED"), refused.getMessage());
    }
}
