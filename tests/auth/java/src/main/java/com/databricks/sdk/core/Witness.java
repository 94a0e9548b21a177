package com.databricks.sdk.core;

import com.databricks.sdk.core.utils.Environment;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;

/**
 * The official Java SDK as a witness: reads one environment a line, resolves it as the SDK does, sends one request to the API
 * with what it authorizes, and writes one line about it.
 *
 * <p>A Java process cannot change its own environment, and the SDK takes another one only from its own package.
 */
public final class Witness {
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final HttpClient HTTP = HttpClient.newHttpClient();

  private Witness() {}

  public static void main(String[] arguments) throws Exception {
    var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      Map<String, String> env = JSON.readValue(line, new TypeReference<>() {});
      System.out.println(JSON.writeValueAsString(witness(env)));
    }
  }

  private static Map<String, String> witness(Map<String, String> env) {
    var config = new DatabricksConfig();
    var said = new HashMap<String, String>();
    try {
      String[] path = env.getOrDefault("PATH", "").split(File.pathSeparator);
      config.resolve(new Environment(env, path, System.getProperty("os.name")));
      var request =
          HttpRequest.newBuilder(URI.create(config.getHost() + "/api/2.0/preview/scim/v2/Me"));
      config.authenticate().forEach(request::header);
      HTTP.send(request.build(), HttpResponse.BodyHandlers.discarding());
    } catch (Exception error) {
      said.put("error", error.toString());
    }
    said.put("auth_type", config.getAuthType());
    return said;
  }
}
