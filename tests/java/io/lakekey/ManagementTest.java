package io.lakekey;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** The management API: JSON in, JSON out. */
@ExtendWith(Emulator.Fresh.class)
class ManagementTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    private static String json(Object value) throws Exception {
        return JSON.writeValueAsString(value);
    }

    @Test
    void aBranchIsMadeWaitedForListedAndDeleted(Emulator emulator) throws Exception {
        try (LakekeyClient client = LakekeyClient.create(emulator.options().build())) {
            String making = client.call(
                    "create_branch",
                    json(Map.of(
                            "parent", "projects/shop",
                            "branch_id", "from-java",
                            "branch", Map.of("spec", Map.of("no_expiry", true)))));
            String made = client.waitOperation(making, Duration.ofSeconds(30));
            assertEquals("projects/shop/branches/from-java", JSON.readTree(made).get("name").asText());
            String listed = client.callAsync("list_branches", json(Map.of("parent", "projects/shop")), null)
                    .get(20, TimeUnit.SECONDS);
            assertTrue(listed.contains("projects/shop/branches/from-java"), listed);
            String deleting =
                    client.call("delete_branch", json(Map.of("name", "projects/shop/branches/from-java")));
            client.waitOperationAsync(deleting, Duration.ofSeconds(30)).get(40, TimeUnit.SECONDS);
        }
    }

    @Test
    void whatIsWrongHasItsCode(Emulator emulator) throws Exception {
        try (LakekeyClient client = LakekeyClient.create(emulator.options().build())) {
            LakekeyException missing = assertThrows(
                    LakekeyException.class, () -> client.call("get_branch", json(Map.of("name", "projects/shop/branches/no"))));
            assertEquals(404, missing.httpStatus().orElseThrow(), missing.getMessage());
            assertThrows(LakekeyException.class, () -> client.call("no_such_method", "{}"));
            LakekeyException odd = assertThrows(LakekeyException.class, () -> client.call("list_projects", "no JSON"));
            assertTrue(odd.getMessage().contains("arguments"), odd.getMessage());
            assertThrows(LakekeyException.Config.class, () -> client.call("list_projects", null));
        }
    }
}
