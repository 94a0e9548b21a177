import com.databricks.sdk.WorkspaceClient;
import com.databricks.sdk.core.DatabricksConfig;
import com.databricks.sdk.core.DatabricksError;
import com.databricks.sdk.core.utils.SerDeUtils;
import com.databricks.sdk.service.postgres.PostgresAPI;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.google.protobuf.FieldMask;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * The official Java SDK as a client of the management API: reads one call a line, makes it by the SDK's own method, waits for
 * its operation, and writes one line about what came of it.
 */
public final class Management {
  private static final ObjectMapper JSON = SerDeUtils.createMapper();

  private Management() {}

  public static void main(String[] arguments) throws Exception {
    PostgresAPI api = new WorkspaceClient(new DatabricksConfig()).postgres();
    var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      System.out.println(JSON.writeValueAsString(told(api, JSON.readTree(line))));
    }
  }

  private static String camel(String name) {
    return Arrays.stream(name.split("_"))
        .map(word -> word.substring(0, 1).toUpperCase() + word.substring(1))
        .collect(Collectors.joining());
  }

  private static Map<String, Object> told(PostgresAPI api, JsonNode call) throws Exception {
    String method = camel(call.get("method").asText());
    String own = method.substring(0, 1).toLowerCase() + method.substring(1);
    Optional<Method> found =
        Arrays.stream(PostgresAPI.class.getMethods())
            .filter(one -> one.getName().equals(own) && one.getParameterCount() == 1)
            .filter(one -> one.getParameterTypes()[0].getSimpleName().equals(method + "Request"))
            .findFirst();
    Map<String, Object> said = new HashMap<>();
    if (found.isEmpty()) {
      said.put("unknown", true);
      return said;
    }
    try {
      said.put("answer", made(api, found.get(), call.get("arguments")));
    } catch (InvocationTargetException thrown) {
      Throwable cause = thrown.getCause();
      said.put("class", cause.getClass().getSimpleName());
      said.put("error", cause.toString());
      if (cause instanceof DatabricksError) {
        said.put("code", ((DatabricksError) cause).getErrorCode());
      }
    }
    return said;
  }

  private static Object made(PostgresAPI api, Method method, JsonNode arguments) throws Exception {
    Object request = method.getParameterTypes()[0].getConstructor().newInstance();
    for (var argument : arguments.properties()) {
      String name = "set" + camel(argument.getKey());
      Method setter =
          Arrays.stream(request.getClass().getMethods())
              .filter(one -> one.getName().equals(name))
              .findFirst()
              .orElseThrow(() -> new IllegalArgumentException("the request has no " + name));
      setter.invoke(request, typed(argument.getValue(), setter.getParameterTypes()[0]));
    }
    Object answer = method.invoke(api, request);
    if (answer instanceof Iterable<?> pages) {
      List<JsonNode> items = new ArrayList<>();
      try {
        pages.forEach(item -> items.add(JSON.valueToTree(item)));
      } catch (RuntimeException refused) {
        throw new InvocationTargetException(refused);
      }
      return items;
    }
    if (method.getReturnType().getSimpleName().matches(".+Operation")) {
      answer = answer.getClass().getMethod("waitForCompletion").invoke(answer);
    }
    return answer == null ? Map.of() : JSON.valueToTree(answer);
  }

  private static Object typed(JsonNode value, Class<?> type) throws Exception {
    if (type == FieldMask.class) {
      return FieldMask.newBuilder().addAllPaths(List.of(value.asText().split(","))).build();
    }
    return JSON.treeToValue(value, type);
  }
}
