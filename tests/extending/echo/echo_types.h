/* The types of echo.idl that are written by hand. test_extending.py puts them into libxl_uuid.h. */
typedef struct {
    uint32_t size;
    uint8_t *map;
} libxl_bitmap;
typedef char **libxl_string_list;
typedef uint8_t libxl_mac[6];
typedef struct {
    int val;
} libxl_defbool;
typedef struct {
    void *secret;
} libxl_opaque;
void libxl_bitmap_dispose(libxl_bitmap *map);
void libxl_string_list_dispose(libxl_string_list list);
