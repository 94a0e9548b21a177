import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The form of the conformance cases, and what a result is compared with, for {@code Run}. */
final class Cases {
    /** A case, or what it proves, is wrong. */
    static final class Wrong extends RuntimeException {
        private static final long serialVersionUID = 1L;

        Wrong(String what) {
            super(what);
        }
    }

    static final ObjectMapper JSON = new ObjectMapper();

    private Cases() {}

    static List<Map<String, Object>> load(Path folder) throws IOException {
        JsonNode schema = JSON.readTree(folder.resolve("schema.json").toFile());
        Map<String, Map<String, Object>> cases = new LinkedHashMap<>();
        List<Path> files;
        try (var found = Files.list(folder.resolve("cases"))) {
            files = found.sorted().toList();
        }
        for (Path path : files) {
            JsonNode file = JSON.readTree(path.toFile());
            check(file, schema, schema.get("$defs"), path.getFileName().toString());
            for (JsonNode node : file.get("cases")) {
                Map<String, Object> one = object(JSON.convertValue(node, Object.class));
                Map<String, Object> env = new LinkedHashMap<>();
                for (JsonNode from : new JsonNode[] {file.path("env"), node.path("env")}) {
                    from.properties().forEach(entry -> env.put(entry.getKey(), entry.getValue().textValue()));
                }
                one.put("env", env);
                if (cases.put((String) one.get("id"), one) != null) {
                    throw new Wrong("two cases are called " + one.get("id"));
                }
            }
        }
        return List.copyOf(cases.values());
    }

    /** The part of JSON Schema that {@code schema.json} uses. */
    private static void check(JsonNode value, JsonNode schema, JsonNode defs, String at) {
        if (schema.has("$ref")) {
            String name = schema.get("$ref").asText();
            check(value, defs.get(name.substring(name.lastIndexOf('/') + 1)), defs, at);
            return;
        }
        String type = value.getNodeType().name().toLowerCase(java.util.Locale.ROOT);
        JsonNode types = schema.get("type");
        boolean known = types.isArray() ? JSON.convertValue(types, List.class).contains(type) : types.asText().equals(type);
        if (!known) {
            throw new Wrong(at + " is no " + types);
        }
        if (schema.has("enum") && !JSON.convertValue(schema.get("enum"), List.class).contains(value.asText())) {
            throw new Wrong(at + " is " + value);
        }
        for (int i = 0; value.isArray() && i < value.size(); i++) {
            check(value.get(i), schema.get("items"), defs, at + "[" + i + "]");
        }
        if (!value.isObject()) {
            return;
        }
        for (JsonNode name : schema.path("required")) {
            if (!value.has(name.asText())) {
                throw new Wrong(at + " lacks " + name.asText());
            }
        }
        for (var entry : value.properties()) {
            JsonNode inner = schema.path("properties").path(entry.getKey());
            inner = inner.isMissingNode() ? schema.path("additionalProperties") : inner;
            if (inner.isBoolean() && !inner.asBoolean()) {
                throw new Wrong(at + " has an unknown key " + entry.getKey());
            }
            if (inner.isObject()) {
                check(entry.getValue(), inner, defs, at + "." + entry.getKey());
            }
        }
    }

    /** Puts in what {@code ${NAME}} stands for. */
    static Object fill(Object value, Map<String, String> names) {
        if (value instanceof String text) {
            return Pattern.compile("\\$\\{(\\w+)\\}").matcher(text).replaceAll(found -> {
                if (!names.containsKey(found.group(1))) {
                    throw new Wrong("nothing is called " + found.group(1));
                }
                return Matcher.quoteReplacement(names.get(found.group(1)));
            });
        }
        if (value instanceof List<?> list) {
            List<Object> filled = new ArrayList<>();
            list.forEach(item -> filled.add(fill(item, names)));
            return filled;
        }
        if (value instanceof Map<?, ?> map) {
            Map<Object, Object> filled = new LinkedHashMap<>();
            map.forEach((name, item) -> filled.put(name, fill(item, names)));
            return filled;
        }
        return value;
    }

    /** What stands at each path of an answer; serializable. */
    static Map<String, Object> flat(Object value, String at) {
        Map<String, Object> all = new java.util.HashMap<>();
        if (value instanceof List<?> list) {
            for (int i = 0; i < list.size(); i++) {
                all.putAll(flat(list.get(i), at + "." + i));
            }
            all.put(at + ".length", list.size());
        } else if (value instanceof Map<?, ?> map) {
            map.forEach((name, item) -> all.putAll(flat(item, at.isEmpty() ? (String) name : at + "." + name)));
        } else {
            all.put(at, value);
        }
        return all;
    }

    static void match(Map<String, ?> found, Map<String, Object> expected) {
        expected.forEach((name, want) -> {
            Object have = found.get(name);
            if (!(want instanceof Map<?, ?> conditions ? fits(have, conditions) : same(have, want))) {
                throw new Wrong(name + " is " + have + ", expected " + want);
            }
        });
    }

    private static boolean fits(Object have, Map<?, ?> want) {
        return (!want.containsKey("not") || !same(have, want.get("not")))
                && (!want.containsKey("contains") || String.valueOf(have).contains((String) want.get("contains")))
                && (!want.containsKey("min") || have != null && number(have) >= number(want.get("min")))
                && (!want.containsKey("max") || have != null && number(have) <= number(want.get("max")));
    }

    private static boolean same(Object have, Object want) {
        return have instanceof Number && want instanceof Number
                ? number(have) == number(want)
                : java.util.Objects.equals(have, want);
    }

    private static double number(Object value) {
        return ((Number) value).doubleValue();
    }

    static void matchError(Map<String, Object> error, Map<String, Object> expected) {
        for (String name : List.of("slug", "code", "retryable", "http_status", "api_code")) {
            if (expected.containsKey(name) && !same(error.get(name), expected.get(name))) {
                throw new Wrong(name + " is " + error.get(name) + ": " + error.get("shown"));
            }
        }
        for (String text : List.of("message", "hint")) {
            for (Object part : (List<?>) expected.getOrDefault(text, List.of())) {
                if (!String.valueOf(error.get(text)).contains((String) part)) {
                    throw new Wrong("'" + part + "' is not in " + error.get("shown"));
                }
            }
        }
        for (Object part : (List<?>) expected.getOrDefault("hidden", List.of())) {
            if (((String) error.get("shown")).contains((String) part)) {
                throw new Wrong(part + " is shown");
            }
        }
    }

    @SuppressWarnings("unchecked")
    static Map<String, Object> object(Object value) {
        return value == null ? Map.of() : (Map<String, Object>) value;
    }
}
