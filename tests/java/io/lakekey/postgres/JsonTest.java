package io.lakekey.postgres;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** The package's own JSON, with Jackson as its judge. */
class JsonTest {
    private static final ObjectMapper JACKSON = JsonMapper.builder()
            .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS, DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .disable(JsonReadFeature.ALLOW_LEADING_ZEROS_FOR_NUMBERS)
            .build();

    private static final List<String> TEXTS = List.of(
            "{}",
            " {\"a\" : [ ] , \"b\":{} }\n",
            "{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\\ud83d\\ude00\",\"ä\":\"😀\"}",
            "{\"a\":[0,-0,1,-1,9223372036854775807,-9223372036854775808,9223372036854775808,123456789012345678901234567890]}",
            "{\"a\":[0.5,1e3,1E-3,-2.50,0.1234567890123456789,1.7976931348623157e308]}",
            "{\"a\":true,\"b\":false,\"c\":null,\"d\":{\"e\":[{\"f\":\"\"}]}}");

    @Test
    void whatJacksonReadsIsReadAlike() throws Exception {
        for (String text : TEXTS) {
            Map<String, Object> read = Json.object(text);
            assertEquals(JACKSON.readTree(text), JACKSON.readTree(JACKSON.writeValueAsString(read)), text);
            assertEquals(JACKSON.readTree(text), JACKSON.readTree(Json.text(read)), text);
            assertEquals(read, Json.object(Json.text(read)), text);
        }
    }

    @Test
    void damagedTextsAreJudgedAsJacksonDoes() throws Exception {
        Random random = new Random(7);
        String letters = "{}[]\",:\\u0123456789.-+eEtrufalsn \t\n";
        int good = 0;
        for (int i = 0; i < 20_000; i++) {
            StringBuilder text = new StringBuilder(TEXTS.get(random.nextInt(TEXTS.size())));
            for (int edits = random.nextInt(3); edits >= 0 && text.length() > 0; edits--) {
                int at = random.nextInt(text.length());
                char letter = letters.charAt(random.nextInt(letters.length()));
                switch (random.nextInt(3)) {
                    case 0 -> text.setCharAt(at, letter);
                    case 1 -> text.insert(at, letter);
                    default -> text.deleteCharAt(at);
                }
            }
            String damaged = text.toString();
            JsonNode expected = null;
            try {
                expected = JACKSON.readTree(damaged);
            } catch (com.fasterxml.jackson.core.JsonProcessingException | NumberFormatException wrong) {
                assertThrows(IllegalArgumentException.class, () -> Json.object(damaged), damaged);
            }
            if (expected != null && expected.isObject()) {
                good++;
                JsonNode read = JACKSON.valueToTree(Json.object(damaged));
                assertTrue(expected.equals(JsonTest::compare, read), damaged);
            }
        }
        assertFalse(good < 1000, "some are still JSON: " + good);
    }

    /** Numbers by their values, in whatever form they are kept. */
    private static int compare(JsonNode one, JsonNode other) {
        return one.isNumber() && other.isNumber()
                ? one.decimalValue().compareTo(other.decimalValue())
                : one.equals(other) ? 0 : 1;
    }

    @Test
    void aMistakeNamesItsPlaceAndShowsNothing() {
        for (String text : List.of("", "{", "{\"a\":hunter2}", "{\"hunter2", "[1]", "{} hunter2", "{\"a\":01}", "{\"a\":\"\u0001\"}")) {
            String said = assertThrows(IllegalArgumentException.class, () -> Json.object(text)).getMessage();
            assertFalse(said.contains("hunter2"), said);
        }
        String deep = "{\"a\":" + "[".repeat(100_000);
        assertThrows(IllegalArgumentException.class, () -> Json.object(deep));
    }

    @Test
    void whatIsHandedOverIsCopied() {
        List<Object> list = new ArrayList<>(Arrays.asList(1, 2.0, 0.5, null, "x", true));
        Map<String, Object> map = new LinkedHashMap<>(Map.of("list", list));
        Object copy = Json.copy(map);
        list.clear();
        assertEquals("{\"list\":[1,2,0.5,null,\"x\",true]}", Json.text(copy));
        assertThrows(IllegalArgumentException.class, () -> Json.copy(Map.of("a", new Object())));
        assertThrows(IllegalArgumentException.class, () -> Json.copy(List.of(Double.NaN)));
        list.add(list);
        assertThrows(IllegalArgumentException.class, () -> Json.copy(list));
    }
}
