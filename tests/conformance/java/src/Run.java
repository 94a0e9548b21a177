import com.fasterxml.jackson.databind.JsonNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Timer;
import java.util.TimerTask;

/**
 * Runs the conformance cases through the jar and pgjdbc: {@code java -Dlakekey.native.path=FILE Run FOLDER
 * [ID ...]}, with the folder of the cases. This
 * process owns the emulator, the files and what is compared; each case's steps are done in a process of its own, because the
 * library reads its environment from the process and shares credentials within it.
 */
final class Run implements AutoCloseable {
    private static final long CASE_LIMIT_MS = 120_000;

    /** Names the library, so that not every process unpacks one. */
    private static final String LIBRARY = "lakekey.native.path";

    private static final HttpClient HTTP = HttpClient.newHttpClient();

    private final JsonNode ready;
    private final Map<String, Object> one;
    private final Path home = Files.createTempDirectory("lakekey-");
    private final Map<String, String> names = new HashMap<>();
    private final Process child;
    private ObjectOutputStream to;
    private ObjectInputStream from;

    /** Starts the process of a case, which takes a moment: while the one before runs. */
    private Run(Map<String, Object> one, JsonNode ready) throws IOException {
        this.one = one;
        this.ready = ready;
        ready.get("env").properties().forEach(entry -> names.put(entry.getKey(), entry.getValue().asText()));
        names.put("home", home.toString());
        names.put("uid", names.get("PGHOST").split("\\.")[0]);
        ProcessBuilder builder = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-D" + LIBRARY + "=" + System.getProperty(LIBRARY),
                        "-cp", System.getProperty("java.class.path"), "Steps")
                .redirectError(ProcessBuilder.Redirect.INHERIT);
        builder.environment().clear();
        Cases.object(Cases.fill(one.get("env"), names)).forEach((name, value) -> {
            if (value != null) {
                builder.environment().put(name, (String) value);
            }
        });
        builder.environment().put("HOME", home.toString());
        child = builder.start();
    }

    /** Throws what is wrong. */
    private void prove() throws Exception {
        admin("POST /reset", Map.of());
        for (var file : Cases.object(Cases.fill(one.get("files"), names)).entrySet()) {
            Files.writeString(home.resolve(file.getKey()), (String) file.getValue());
        }
        Timer limit = new Timer(true);
        limit.schedule(new TimerTask() {
            @Override
            public void run() {
                child.destroyForcibly();
            }
        }, CASE_LIMIT_MS);
        try {
            to = new ObjectOutputStream(child.getOutputStream());
            from = new ObjectInputStream(child.getInputStream());
            int number = 0;
            for (Object step : (List<?>) one.get("steps")) {
                number++;
                step(Cases.object(step), number);
            }
        } catch (IOException gone) {
            throw new Cases.Wrong("its process died or did not end");
        } finally {
            limit.cancel();
            // What it has not waited for ends with it.
            child.destroyForcibly().waitFor();
        }
        long end = System.currentTimeMillis() + 2000;
        while (!requests(System.currentTimeMillis() >= end)) {
            Thread.sleep(20);
        }
    }

    private void step(Map<String, Object> unfilled, int number) throws Exception {
        double patience = unfilled.get("until_s") instanceof Number seconds ? seconds.doubleValue() : 0;
        long end = System.currentTimeMillis() + (long) (patience * 1000);
        while (true) {
            try {
                attempt(Cases.object(Cases.fill(unfilled, names)));
                return;
            } catch (Cases.Wrong wrong) {
                if (System.currentTimeMillis() >= end) {
                    throw new Cases.Wrong("step " + number + " (" + unfilled.get("op") + "): " + wrong.getMessage());
                }
                Thread.sleep(50);
            }
        }
    }

    private void attempt(Map<String, Object> step) throws Exception {
        Map<String, Object> args = Cases.object(step.get("args"));
        Map<String, Object> found = step.get("op").equals("admin")
                ? admin((String) args.get("call"), args.getOrDefault("body", Map.of()))
                : ask((String) step.get("op"), args);
        Map<String, Object> error = Cases.object(step.get("error"));
        if (found.containsKey("shown")) {
            if (error.isEmpty()) {
                throw new Cases.Wrong("it failed: " + found.get("shown"));
            }
            Cases.matchError(found, error);
            return;
        }
        if (!error.isEmpty()) {
            throw new Cases.Wrong("it succeeded, and " + error.get("slug") + " was expected");
        }
        Cases.match(found, Cases.object(step.get("expect")));
        Cases.object(step.get("save")).forEach((field, name) -> names.put((String) name, String.valueOf(found.get(field))));
    }

    private Map<String, Object> ask(String op, Map<String, Object> args) throws Exception {
        to.writeUTF(op);
        to.writeObject(args);
        to.flush();
        return Cases.object(from.readObject());
    }

    private Map<String, Object> admin(String call, Object body) throws Exception {
        String[] parts = call.split(" ", 2);
        HttpRequest request = HttpRequest.newBuilder(URI.create(ready.get("admin_url").asText() + "/_emulator" + parts[1]))
                .header("authorization", "Bearer " + ready.get("admin_token").asText())
                .header("content-type", "application/json")
                .method(parts[0], parts[0].equals("GET")
                        ? HttpRequest.BodyPublishers.noBody()
                        : HttpRequest.BodyPublishers.ofString(Cases.JSON.writeValueAsString(body)))
                .build();
        HttpResponse<String> answer = HTTP.send(request, HttpResponse.BodyHandlers.ofString());
        if (answer.statusCode() / 100 != 2) {
            throw new Cases.Wrong("the admin API refused " + call + ": " + answer.body());
        }
        Object told = Cases.JSON.readValue(answer.body(), Object.class);
        return told instanceof Map ? Cases.object(told) : Map.of();
    }

    /** Whether the control plane got the requests that it should; at the last look, throws if not. */
    private boolean requests(boolean last) throws Exception {
        Map<String, Object> counters = Cases.object(admin("GET /requests", null).get("counters"));
        Map<String, Object> counts = new HashMap<>();
        Cases.object(counters.get("requests")).forEach((route, by) -> counts.put(
                route, Cases.object(by).values().stream().mapToInt(count -> ((Number) count).intValue()).sum()));
        try {
            int ended = counts.values().stream().mapToInt(count -> (Integer) count).sum();
            if (ended != ((Number) counters.get("requests_total")).intValue()) {
                throw new Cases.Wrong("one has not ended: " + counters);
            }
            if (one.get("requests") != null) {
                Map<String, Object> expected = new HashMap<>();
                counts.keySet().forEach(route -> expected.put(route, null));
                expected.putAll(Cases.object(one.get("requests")));
                Cases.match(counts, expected);
            }
            return true;
        } catch (Cases.Wrong wrong) {
            if (last) {
                throw new Cases.Wrong("requests: " + wrong.getMessage());
            }
            return false;
        }
    }

    @Override
    public void close() throws Exception {
        child.destroyForcibly().waitFor();
        try (var files = Files.walk(home)) {
            files.sorted(Comparator.reverseOrder()).forEach(file -> file.toFile().delete());
        }
    }

    public static void main(String[] arguments) throws Exception {
        long begun = System.nanoTime();
        List<String> chosen = Arrays.asList(arguments).subList(1, arguments.length);
        List<Map<String, Object>> cases = Cases.load(Path.of(arguments[0])).stream()
                .filter(one -> chosen.isEmpty() || chosen.contains(one.get("id")))
                .toList();
        Process emulator = new ProcessBuilder(System.getenv("LAKEKEY_BIN"), "emulate", "--project", "shop",
                        "--parent-pid", String.valueOf(ProcessHandle.current().pid()))
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        int failed = 0;
        try (BufferedReader said = emulator.inputReader()) {
            JsonNode ready = Cases.JSON.readTree(said.readLine());
            Run next = cases.isEmpty() ? null : new Run(cases.get(0), ready);
            for (int i = 0; i < cases.size(); i++) {
                try (Run run = next) {
                    next = i + 1 < cases.size() ? new Run(cases.get(i + 1), ready) : null;
                    run.prove();
                } catch (Cases.Wrong wrong) {
                    failed++;
                    System.out.println("FAILED " + cases.get(i).get("id") + ": " + wrong.getMessage()
                            + "\n  which is to prove: " + cases.get(i).get("why"));
                }
            }
        } finally {
            emulator.destroy();
            emulator.waitFor();
        }
        System.out.printf("== %d passed, %d failed in %.1f s: conformance, Java ==%n",
                cases.size() - failed, failed, (System.nanoTime() - begun) / 1e9);
        System.exit(failed > 0 || cases.isEmpty() ? 1 : 0);
    }
}
