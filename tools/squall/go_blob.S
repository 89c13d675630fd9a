/* The bytes of build/go-blob.bin, see src/go/blob.ld. */
    .section .rodata
    .balign 16
    .globl go_blob, go_blob_end
    .hidden go_blob, go_blob_end
go_blob:
    .incbin "go-blob.bin"
go_blob_end:
    .section .note.GNU-stack,"",@progbits
