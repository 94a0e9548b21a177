package io.lakekey;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;

/**
 * A local Lakebase: starts {@code lakekey emulate}, reads its ready line, and resets it before each test. One for all tests of
 * a JVM, which ends it; it ends by itself when the JVM dies.
 */
public final class Emulator implements AutoCloseable {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final long READY_WITHIN_S = 90;

    /** A service principal that the emulator knows. */
    public static final String SP_ID = "00000000-0000-4000-8000-000000000001";

    public static final String SP_SECRET = "emulator-secret";

    private final Process process;
    private final HttpClient http = HttpClient.newHttpClient();
    public final JsonNode ready;

    public Emulator(String... arguments) throws Exception {
        String command = System.getenv("LAKEKEY_BIN");
        if (command == null) {
            throw new IllegalStateException("LAKEKEY_BIN names no lakekey binary; run the tests by `cargo xtask test java`");
        }
        List<String> line = new ArrayList<>(List.of(
                command, "emulate", "--project", "shop", "--parent-pid", String.valueOf(ProcessHandle.current().pid())));
        line.addAll(List.of(arguments));
        ProcessBuilder builder = new ProcessBuilder(line);
        builder.environment().keySet().removeIf(name -> name.startsWith("DATABRICKS_") || name.startsWith("LAKEBASE_"));
        builder.redirectInput(ProcessBuilder.Redirect.PIPE).redirectError(ProcessBuilder.Redirect.DISCARD);
        process = builder.start();
        BufferedReader out = process.inputReader();
        String first = CompletableFuture.supplyAsync(() -> {
                    try {
                        return out.readLine();
                    } catch (IOException gone) {
                        return null;
                    }
                })
                .get(READY_WITHIN_S, TimeUnit.SECONDS);
        if (first == null) {
            throw new IllegalStateException("`" + command + " emulate` gave no ready line");
        }
        ready = JSON.readTree(first);
    }

    /** The variables that point a client at this emulator. */
    public Map<String, String> env() {
        Map<String, String> env = new LinkedHashMap<>();
        ready.get("env").properties().forEach(entry -> env.put(entry.getKey(), entry.getValue().asText()));
        return env;
    }

    /** This program's variables without any of Databricks or Postgres, and the emulator's. */
    public void point(Map<String, String> environment) {
        environment.keySet().removeIf(
                name -> name.startsWith("DATABRICKS_") || name.startsWith("LAKEBASE_") || name.startsWith("PG"));
        environment.putAll(env());
    }

    /** One request to the admin API; {@code path} begins after {@code /_emulator}. */
    public JsonNode admin(String method, String path, Map<String, ?> body) throws Exception {
        String url = ready.get("admin_url").asText() + "/_emulator" + path;
        HttpRequest.BodyPublisher sent = method.equals("GET")
                ? HttpRequest.BodyPublishers.noBody()
                : HttpRequest.BodyPublishers.ofString(JSON.writeValueAsString(body));
        HttpRequest request = HttpRequest.newBuilder(URI.create(url))
                .method(method, sent)
                .header("content-type", "application/json")
                .header("authorization", "Bearer " + ready.get("admin_token").asText())
                .build();
        HttpResponse<String> answer = http.send(request, HttpResponse.BodyHandlers.ofString());
        if (answer.statusCode() / 100 != 2) {
            throw new IllegalStateException("the admin API refused " + method + " " + path + ": " + answer.body());
        }
        return JSON.readTree(answer.body());
    }

    public JsonNode post(String path, Map<String, ?> body) throws Exception {
        return admin("POST", path, body);
    }

    /** How many requests the control plane got since the reset, by route. */
    public Map<String, Integer> requests() throws Exception {
        Map<String, Integer> counts = new LinkedHashMap<>();
        admin("GET", "/requests", Map.of()).get("counters").get("requests").properties().forEach(route -> {
            int sum = 0;
            for (JsonNode count : route.getValue()) {
                sum += count.asInt();
            }
            counts.put(route.getKey(), sum);
        });
        return counts;
    }

    /** How many requests the control plane got since the reset, and has not all answered. */
    public int total() throws Exception {
        return admin("GET", "/requests", Map.of()).get("counters").get("requests_total").asInt();
    }

    /** One of the emulator's counters since the reset. */
    public int count(String counter) throws Exception {
        return admin("GET", "/requests", Map.of()).get("counters").get(counter).asInt();
    }

    /** A fault: every answer comes so many milliseconds later. */
    public static Map<String, ?> latency(int ms) {
        return Map.of("action", Map.of("kind", "latency", "ms", ms));
    }

    /** Waits until something is so. */
    public static void until(Callable<Boolean> condition) throws Exception {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
        while (!condition.call()) {
            if (System.nanoTime() > end) {
                throw new AssertionError("it did not come to that within 20 s");
            }
            Thread.sleep(10);
        }
    }

    /** How many credentials were minted since the reset. */
    public int mints() throws Exception {
        return requests().entrySet().stream()
                .filter(entry -> entry.getKey().contains("credential"))
                .mapToInt(Map.Entry::getValue)
                .sum();
    }

    /** Options that name this emulator and its user, since a JVM cannot change its own environment. */
    public ClientOptions.Builder options() {
        return ClientOptions.builder()
                .host(env().get("DATABRICKS_HOST"))
                .token("dapi-emulator")
                .target("projects/shop/branches/production");
    }

    /** The same for an identity of its own, that has no credential yet: clients of one process share credentials. */
    public ClientOptions.Builder stranger() {
        return options().token(null).tokenProvider(() -> "dapi-emulator");
    }

    @Override
    public void close() throws Exception {
        process.destroy();
        if (!process.waitFor(15, TimeUnit.SECONDS)) {
            process.destroyForcibly().waitFor();
        }
    }

    /** Gives a test the emulator, fresh. */
    public static final class Fresh implements BeforeEachCallback, ParameterResolver {
        private static Emulator shared;

        private static synchronized Emulator shared() {
            try {
                if (shared == null) {
                    shared = new Emulator();
                }
                return shared;
            } catch (Exception problem) {
                throw new IllegalStateException(problem);
            }
        }

        @Override
        public void beforeEach(ExtensionContext context) throws Exception {
            shared().post("/reset", Map.of());
        }

        @Override
        public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
            return parameter.getParameter().getType() == Emulator.class;
        }

        @Override
        public Object resolveParameter(ParameterContext parameter, ExtensionContext context) {
            return shared();
        }
    }
}
