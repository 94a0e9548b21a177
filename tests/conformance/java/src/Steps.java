import io.lakekey.ClientOptions;
import io.lakekey.ConnectRequest;
import io.lakekey.Credential;
import io.lakekey.Explanation;
import io.lakekey.LakekeyClient;
import io.lakekey.LakekeyException;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketAddress;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Base64;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import javax.net.SocketFactory;

/** Does the steps of one case, in a process of its own: takes an op and its arguments, gives the result or the error. */
final class Steps {
    private LakekeyClient client;

    public static void main(String[] arguments) throws Exception {
        Class.forName(LakekeyClient.class.getName());
        ObjectOutputStream out = new ObjectOutputStream(System.out);
        out.flush();
        ObjectInputStream in = new ObjectInputStream(new BufferedInputStream(System.in));
        Steps steps = new Steps();
        while (true) {
            Map<String, Object> result = new HashMap<>();
            try {
                result.putAll(steps.perform(in.readUTF(), (Map<?, ?>) in.readObject()));
            } catch (LakekeyException error) {
                result.put("error", Map.of());
                result.put("slug", error.slug());
                result.put("code", error.code());
                result.put("retryable", error.retryable());
                result.put("message", error.getMessage());
                error.httpStatus().ifPresent(status -> result.put("http_status", status));
                error.apiCode().ifPresent(code -> result.put("api_code", code));
                error.hint().ifPresent(hint -> result.put("hint", hint));
                StringWriter stack = new StringWriter();
                error.printStackTrace(new PrintWriter(stack));
                result.put("shown", error.slug() + " " + stack + error.causes());
            } catch (java.io.EOFException over) {
                return;
            }
            out.writeObject(result);
            out.flush();
        }
    }

    private Map<String, ?> perform(String op, Map<?, ?> args) {
        if (op.equals("client")) {
            ClientOptions.Builder options = ClientOptions.builder()
                    .target((String) args.get("target"))
                    .product((String) args.get("product"))
                    .timeout(seconds(args.get("timeout_s")));
            Map<?, ?> settings = args.get("settings") instanceof Map<?, ?> given ? given : Map.of();
            settings.forEach((name, value) -> options.attribute((String) name, (String) value));
            client = LakekeyClient.create(options.build());
            return Map.of();
        }
        if (op.equals("explain")) {
            Explanation meaning = Explanation.of(new SQLException((String) args.get("text"), (String) args.get("sqlstate")));
            Map<String, Object> told = new HashMap<>();
            told.put("class", meaning.kind());
            told.put("retry", meaning.retry());
            told.put("invalidate", meaning.invalidate());
            told.put("hint", meaning.hint().orElse(null));
            return told;
        }
        if (client == null) {
            client = LakekeyClient.create();
        }
        String target = (String) args.get("target");
        ConnectRequest request = new ConnectRequest(
                target,
                (String) args.get("database"),
                (String) args.get("user"),
                args.get("port") instanceof Number port ? port.intValue() : null,
                (String) args.get("sslmode"),
                (String) args.get("sslrootcert"),
                seconds(args.get("ttl_s")),
                seconds(args.get("timeout_s")));
        switch (op) {
            case "token":
                boolean plain = request.ttl() == null && request.timeout() == null;
                return ofToken(plain ? client.token(target) : client.token(request));
            case "credential":
                Credential got = client.credential(request);
                Map<String, Object> credential = new HashMap<>(Map.of("token", got.token(), "endpoint", got.endpoint()));
                credential.put("subject", got.subject().orElse(null));
                credential.put("lifetime_s", Math.round(Duration.between(got.issuedAt(), got.expiresAt()).toMillis() / 1000.0));
                return credential;
            case "connect_params":
                return keywords(request);
            case "conninfo":
                return Map.of("conninfo", client.connectParams(request).conninfo());
            case "invalidate":
                return Map.of("fresh", client.invalidate((String) args.get("token")));
            case "storm":
                var storm = IntStream.range(0, ((Number) args.get("count")).intValue())
                        .mapToObj(i -> client.tokenAsync())
                        .toList();
                return Map.of("distinct", storm.stream().map(one -> one.join()).collect(Collectors.toSet()).size());
            case "login":
                return login(keywords(request), (String) args.get("password"));
            case "call":
                return call((String) args.get("method"), args.get("arguments"), Boolean.TRUE.equals(args.get("wait")));
            case "close":
                client.close();
                return Map.of();
            default:
                throw new IllegalArgumentException(op);
        }
    }

    private Map<String, Object> call(String method, Object arguments, boolean wait) {
        try {
            String answer = client.call(method, Cases.JSON.writeValueAsString(arguments));
            String told = wait ? client.waitOperation(answer, Duration.ofSeconds(60)) : answer;
            return Cases.flat(Cases.JSON.readValue(told, Object.class), "");
        } catch (com.fasterxml.jackson.core.JsonProcessingException wrong) {
            throw new IllegalStateException(wrong);
        }
    }

    private static Duration seconds(Object given) {
        return given == null ? null : Duration.ofMillis(Math.round(((Number) given).doubleValue() * 1000));
    }

    private static Map<String, Object> ofToken(String token) {
        String claims = new String(Base64.getUrlDecoder().decode(token.split("\\.")[1]));
        String subject = claims.replaceAll(".*\"sub\":\"([^\"]*)\".*", "$1");
        return Map.of("token", token, "subject", subject);
    }

    private Map<String, String> keywords(ConnectRequest request) {
        var params = client.connectParams(request);
        Map<String, String> all = new HashMap<>(params.keywords());
        all.put("password", params.password());
        return all;
    }

    private static Map<String, String> login(Map<String, String> params, String password) {
        Properties properties = new Properties();
        properties.put("user", params.get("user"));
        properties.put("password", password == null ? params.get("password") : password);
        properties.put("sslmode", params.get("sslmode"));
        properties.put("sslrootcert", params.getOrDefault("sslrootcert", ""));
        properties.put("connectTimeout", "10");
        properties.put("socketFactory", Pinned.class.getName());
        properties.put("socketFactoryArg", params.get("hostaddr").split(",")[0]);
        String url = "jdbc:postgresql://" + params.get("host").split(",")[0] + ":" + params.get("port").split(",")[0] + "/"
                + params.get("dbname");
        try (Connection session = DriverManager.getConnection(url, properties);
                ResultSet row = session.createStatement().executeQuery("select current_user, current_database()")) {
            row.next();
            return Map.of("user", row.getString(1), "database", row.getString(2));
        } catch (SQLException refused) {
            return Map.of("refused", refused.getMessage());
        }
    }

    /** Dials the address that was found, whatever the name's own are. */
    public static final class Pinned extends SocketFactory {
        private final String address;

        public Pinned(String address) {
            this.address = address;
        }

        @Override
        public Socket createSocket() {
            return new Socket() {
                @Override
                public void connect(SocketAddress to, int timeout) throws IOException {
                    super.connect(new InetSocketAddress(address, ((InetSocketAddress) to).getPort()), timeout);
                }
            };
        }

        @Override
        public Socket createSocket(String host, int port) {
            throw new UnsupportedOperationException();
        }

        @Override
        public Socket createSocket(String host, int port, InetAddress from, int fromPort) {
            throw new UnsupportedOperationException();
        }

        @Override
        public Socket createSocket(InetAddress host, int port) {
            throw new UnsupportedOperationException();
        }

        @Override
        public Socket createSocket(InetAddress host, int port, InetAddress from, int fromPort) {
            throw new UnsupportedOperationException();
        }
    }
}
