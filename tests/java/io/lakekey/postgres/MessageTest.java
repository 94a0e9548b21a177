package io.lakekey.postgres;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Messages: JSON with types. */
class MessageTest {
    @Test
    void whatIsNewSurvivesARoundTrip() {
        String sent = "{\"name\":\"projects/shop/branches/b\",\"colour\":{\"deep\":[1,null,2.50]},"
                + "\"status\":{\"current_state\":\"DREAMING\",\"mood\":\"good\",\"logical_size_bytes\":\"123\"}}";
        Branch branch = Branch.of(sent);
        BranchStatus status = branch.status().orElseThrow();
        assertEquals(Optional.of(BranchStatusState.UNRECOGNIZED), status.currentState());
        assertEquals("DREAMING", status.json().get("current_state"));
        assertEquals(Optional.of(123L), status.logicalSizeBytes());
        assertEquals(sent, branch.toJson());
        Branch changed = branch.toBuilder().uid("u").build();
        assertEquals(sent.replaceFirst("}$", ",\"uid\":\"u\"}"), changed.toJson());
        assertEquals(branch, changed.toBuilder().uid(null).build());
        assertEquals(branch, Branch.of(branch.json()));
        assertNotEquals(branch, changed);
        assertThrows(UnsupportedOperationException.class, () -> branch.json().clear());
    }

    @Test
    void buildersSpeakTheFormsOfTheApi() {
        BranchSpec spec = BranchSpec.builder()
                .ttl(Duration.ofMillis(90_500))
                .sourceBranchTime(Instant.parse("2026-01-02T03:04:05.678Z"))
                .isProtected(true)
                .build();
        assertEquals(
                Map.of("ttl", "90.5s", "source_branch_time", "2026-01-02T03:04:05.678Z", "is_protected", true), spec.json());
        assertEquals(Optional.of(Duration.ofMillis(90_500)), spec.ttl());
        assertEquals(Optional.of(Instant.parse("2026-01-02T03:04:05.678Z")), spec.sourceBranchTime());
        assertEquals(
                Optional.of(Instant.parse("2026-01-02T01:04:05Z")),
                BranchSpec.of("{\"source_branch_time\":\"2026-01-02T03:04:05+02:00\"}").sourceBranchTime());
        for (long seconds : new long[] {0, 1, 600, 604_800, -5}) {
            Duration ttl = Duration.ofSeconds(seconds);
            assertEquals(Optional.of(ttl), BranchSpec.builder().ttl(ttl).build().ttl());
            assertEquals(seconds + "s", BranchSpec.builder().ttl(ttl).build().json().get("ttl"));
        }
        EndpointSpec endpoint = EndpointSpec.builder()
                .endpointType(EndpointType.ENDPOINT_TYPE_READ_ONLY)
                .autoscalingLimitMinCu(0.5)
                .autoscalingLimitMaxCu(2.0)
                .build();
        assertEquals(
                "{\"endpoint_type\":\"ENDPOINT_TYPE_READ_ONLY\",\"autoscaling_limit_min_cu\":0.5,\"autoscaling_limit_max_cu\":2}",
                endpoint.toJson());
        ProjectSpec project = ProjectSpec.builder()
                .customTags(List.of(ProjectCustomTag.builder().key("team").value("db").build()))
                .set("brand_new", Map.of("x", List.of(1)))
                .build();
        assertEquals("{\"custom_tags\":[{\"key\":\"team\",\"value\":\"db\"}],\"brand_new\":{\"x\":[1]}}", project.toJson());
        assertEquals(Optional.of("team"), project.customTags().orElseThrow().get(0).key());
        assertThrows(
                IllegalArgumentException.class,
                () -> EndpointSpec.builder().endpointType(EndpointType.UNRECOGNIZED));
    }

    @Test
    void oneMemberOfAOneofTakesThePlaceOfAnother() {
        BranchSpec.Builder spec = BranchSpec.builder().noExpiry(true).ttl(Duration.ofHours(1));
        assertEquals(Map.of("ttl", "3600s"), spec.build().json());
        assertEquals(Map.of("ttl", "3600s"), spec.noExpiry(null).build().json());
        assertEquals(Map.of("no_expiry", true), spec.noExpiry(true).build().json());
    }

    @Test
    void anOddFieldHarmsOnlyWhoAsksForIt() {
        Branch branch = Branch.of("{\"name\":7,\"create_time\":\"yesterday\",\"uid\":\"u\",\"spec\":[],\"status\":null}");
        assertEquals(Optional.of("u"), branch.uid());
        assertEquals(Optional.empty(), branch.status());
        for (Runnable asked : List.<Runnable>of(branch::name, branch::createTime, branch::spec)) {
            String said = assertThrows(IllegalStateException.class, asked::run).getMessage();
            assertTrue(said.startsWith("Branch."), said);
        }
        BranchSpec spec = BranchSpec.of("{\"ttl\":\"1h\",\"no_expiry\":\"yes\"}");
        assertThrows(IllegalStateException.class, spec::ttl);
        assertThrows(IllegalStateException.class, spec::noExpiry);
        BranchStatus size = BranchStatus.of("{\"logical_size_bytes\":1.5}");
        assertThrows(IllegalStateException.class, size::logicalSizeBytes);
    }

    @Test
    void aSecretIsNotShown() {
        DatabaseCredential credential = DatabaseCredential.of("{\"token\":\"hunter2\",\"new\":1}");
        assertEquals(Optional.of("hunter2"), credential.token());
        assertEquals("DatabaseCredential{\"token\":\"***\",\"new\":1}", credential.toString());
        RevealRolePasswordResponse password = RevealRolePasswordResponse.of("{\"password\":[\"hunter2\"]}");
        assertFalse(password.toString().contains("hunter2"));
        assertFalse(assertThrows(IllegalStateException.class, password::password).toString().contains("hunter2"));
    }
}
